import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { at, bytesOf, capturing, disk, first, image, remember, sound } from '../chain.ts';

const out = (dir: string): string => join(dir, 'out');

/** Two points of the disk, the second an incremental. */
async function two(dir: string): Promise<void> {
  await first(dir);
  await writeFile(image(dir), bytesOf(1));
  await succeed(capturing(dir));
}

async function prepare(dir: string, material: string): Promise<void> {
  await cp(material, dir, { recursive: true });
  await remember(dir);
  await mkdir(out(dir));
}

const exporting = (dir: string, address: string, ...words: string[]): string[] =>
  at(dir, ['export', address, ...words]);

/** The image is not there, or holds the disk. */
async function wholeImage(dir: string): Promise<void> {
  const goal = join(out(dir), 'disk.qcow2');
  if (existsSync(goal)) await succeed(['backup-chain', 'verify', '--files', goal, '--against', image(dir)]);
}

/** The folder is not there, or its sums are right. */
async function wholeChain(dir: string): Promise<void> {
  const goal = join(out(dir), 'chain');
  if (existsSync(goal)) await succeed(['sh', '-c', 'cd "$1" && sha256sum -c --quiet --strict SHA256SUMS', 'sh', goal]);
}

interface Index {
  checkpoints: { files: { objectPath: string; size: number }[] }[];
}

/** What the index of the VM lists lies there; a backup that is named can be imported. */
async function wholeTree(dir: string): Promise<void> {
  const index = join(out(dir), 'checkpoints/default/db/index.json');
  const { checkpoints }: Index = existsSync(index) ? JSON.parse(await readFile(index, 'utf8')) : { checkpoints: [] };
  for (const { objectPath, size } of checkpoints.flatMap(({ files }) => files))
    expect((await stat(join(out(dir), objectPath))).size).toBe(size);
  if (existsSync(join(out(dir), 'manifests/b1/index.json')))
    await succeed(['backup-chain', 'validate', '--oadp', out(dir)]);
}

/** Only this lies there, and nothing that is named like what is half made. */
async function only(dir: string, ...names: string[]): Promise<void> {
  expect((await readdir(out(dir))).sort()).toEqual(names);
  const all = await readdir(out(dir), { recursive: true });
  expect(all.filter((path) => path.includes('.tmp-'))).toEqual([]);
}

const keeps = (what: string): string[] => [
  what,
  'the repository is only read',
  'after the rerun nothing half made is left',
];

const checked = (dir: string): string => join(disk(dir), 'checked.json');

export const cases: readonly CrashCase[] = [
  {
    name: 'backup-chain export (flat)',
    needs: [],
    keeps: keeps('the image is absent or holds the disk'),
    material: two,
    prepare,
    command: (dir) => exporting(dir, 'default/db/data@latest', '--flat', join(out(dir), 'disk.qcow2')),
    accepts: [0, 3],
    interrupted: async (dir) => {
      await sound(dir);
      await wholeImage(dir);
    },
    settled: async (dir) => {
      await sound(dir);
      await wholeImage(dir);
      await only(dir, 'disk.qcow2');
    },
  },
  {
    name: 'backup-chain export (chain)',
    needs: [],
    keeps: keeps('the folder is absent, or has all files of the chain with their sums'),
    material: first,
    prepare,
    command: (dir) => exporting(dir, 'default/db/data@latest', '--chain', join(out(dir), 'chain')),
    accepts: [0, 3],
    interrupted: async (dir) => {
      await sound(dir);
      await wholeChain(dir);
    },
    settled: async (dir) => {
      await sound(dir);
      await wholeChain(dir);
      await only(dir, 'chain');
    },
  },
  {
    name: 'backup-chain export (oadp)',
    needs: [],
    keeps: keeps('what an index of the tree lists lies there, and a backup that is named can be imported'),
    material: first,
    prepare,
    command: (dir) => exporting(dir, 'default/db@latest', '--oadp', out(dir), '--backup', 'b1'),
    accepts: [0, 3],
    interrupted: async (dir) => {
      await sound(dir);
      await wholeTree(dir);
    },
    settled: async (dir) => {
      await sound(dir);
      expect(existsSync(join(out(dir), 'manifests/b1/index.json'))).toBe(true);
      await wholeTree(dir);
      await only(dir, 'checkpoints', 'manifests');
    },
  },
  {
    name: 'backup-chain scrub',
    needs: [],
    keeps: [
      'the data files are only read',
      'checked.json is absent or whole',
      'after the rerun it tells of every file',
    ],
    material: two,
    prepare,
    command: (dir) => at(dir, ['scrub']),
    bestEffort: /is not recorded/,
    interrupted: async (dir) => {
      await sound(dir);
      if (existsSync(checked(dir))) JSON.parse(await readFile(checked(dir), 'utf8'));
    },
    settled: async (dir) => {
      await sound(dir);
      expect((await readdir(disk(dir))).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
      const told = JSON.parse(await readFile(checked(dir), 'utf8')) as Record<string, { ok: boolean }>;
      expect(Object.values(told)).toMatchObject([{ ok: true }, { ok: true }]);
    },
  },
];

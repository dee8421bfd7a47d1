import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { attach } from '../../ground/loops.ts';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import {
  at,
  blank,
  bytesOf,
  capturing,
  clean,
  contentOf,
  first,
  head,
  image,
  newestContent,
  proven,
  remember,
  repo,
  size,
  sound,
  tidy,
  whole,
} from '../chain.ts';

/** A loop device per folder, found by the file it is over. */
const targets = new Map<string, Awaited<ReturnType<typeof attach>>>();
const target = (dir: string): string => targets.get(dir)?.device ?? '/dev/null';

async function makeTarget(dir: string): Promise<void> {
  await writeFile(join(dir, 'target'), Buffer.alloc(size, 0xff));
  targets.set(dir, await attach(join(dir, 'target')));
}

async function dropTarget(dir: string): Promise<void> {
  await targets.get(dir)?.[Symbol.asyncDispose]();
  targets.delete(dir);
}

const toDevice = (dir: string): string[] => at(dir, ['restore', 'default/db/data@latest', '--to', target(dir)]);

export const cases: readonly CrashCase[] = [
  {
    name: 'backup-chain init',
    needs: [],
    keeps: ['the repository is absent or complete', 'after the rerun there is no temporary'],
    prepare: (dir) => mkdir(repo(dir)).then(() => undefined),
    command: (dir) => at(dir, ['init']),
    interrupted: async (dir) => {
      if (existsSync(join(repo(dir), 'repo.json'))) await succeed(at(dir, ['list']));
    },
    settled: async (dir) => {
      expect((await readdir(repo(dir))).sort()).toEqual(['repo.json', 'vms']);
      await succeed(at(dir, ['list']));
    },
  },
  {
    name: 'backup-chain capture (first)',
    needs: [],
    keeps: [...whole, clean],
    prepare: async (dir) => {
      await mkdir(repo(dir));
      await succeed(at(dir, ['init']));
      await writeFile(image(dir), bytesOf(0));
    },
    command: capturing,
    interrupted: sound,
    settled: async (dir) => {
      await proven(dir);
      await tidy(dir);
      expect(await newestContent(dir)).toBe(contentOf(bytesOf(0)));
    },
  },
  {
    name: 'backup-chain capture (incremental, with an attachment)',
    needs: [],
    keeps: [...whole, clean, 'the newest point has the content of the source'],
    material: first,
    prepare: async (dir, material) => {
      await cp(material, dir, { recursive: true });
      await remember(dir);
      await writeFile(image(dir), bytesOf(1));
    },
    command: (dir) => [...capturing(dir), '--attach', `note.txt=${join(dir, 'before.json')}`],
    interrupted: sound,
    settled: async (dir) => {
      await proven(dir);
      await tidy(dir);
      expect(await newestContent(dir)).toBe(contentOf(bytesOf(1)));
    },
  },
  {
    name: 'backup-chain restore (new file)',
    needs: [],
    keeps: ['the file is absent or whole', 'after the rerun there is no part of it left'],
    material: first,
    prepare: async (dir, material) => {
      await cp(material, dir, { recursive: true });
      await remember(dir);
      await mkdir(join(dir, 'out'));
    },
    command: (dir) => at(dir, ['restore', 'default/db/data@latest', '--file', '--to', join(dir, 'out/disk.img')]),
    accepts: [0, 3],
    interrupted: async (dir) => {
      await sound(dir);
      const goal = join(dir, 'out/disk.img');
      if (existsSync(goal)) expect(await readFile(goal)).toEqual(Buffer.from(bytesOf(0)));
    },
    settled: async (dir) => {
      expect(await readFile(join(dir, 'out/disk.img'))).toEqual(Buffer.from(bytesOf(0)));
      expect(await readdir(join(dir, 'out'))).toEqual(['disk.img']);
    },
  },
  {
    name: 'backup-chain restore (block device)',
    needs: ['root', 'loop'],
    keeps: [
      'the device begins with what it held, with nothing, or holds all of the disk',
      'the repository is not touched',
    ],
    material: first,
    prepare: async (dir, material) => {
      await cp(material, dir, { recursive: true });
      await remember(dir);
      await makeTarget(dir);
    },
    command: toDevice,
    rerun: (dir) => [...toDevice(dir), '--delta'],
    interrupted: async (dir) => {
      await sound(dir);
      const [begins, all] = [await head(target(dir)), await readFile(target(dir))];
      const untouched = begins.every((byte) => byte === 0xff);
      expect(untouched || blank(begins) || all.equals(Buffer.from(bytesOf(0)))).toBe(true);
    },
    settled: async (dir) => {
      expect(await readFile(target(dir))).toEqual(Buffer.from(bytesOf(0)));
    },
    cleanup: dropTarget,
  },
];

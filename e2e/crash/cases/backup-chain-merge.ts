import { readFileSync } from 'node:fs';
import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import {
  at,
  bytesOf,
  capturing,
  contentOf,
  first,
  image,
  points,
  remember,
  soundOrTrashed,
  tidy,
  vm,
} from '../chain.ts';

/** A point for each version of the disk up to the last of `kept`, and sets only of those. */
async function history(dir: string, kept: readonly number[]): Promise<void> {
  await first(dir);
  for (let version = 1; version <= Math.max(...kept); version += 1) {
    await writeFile(image(dir), bytesOf(version));
    await succeed(capturing(dir));
  }
  const ids = (await points(dir)).map(({ id }) => `${id}.json`);
  const sets = join(vm(dir), 'sets');
  for (const name of await readdir(sets)) if (!kept.includes(ids.indexOf(name))) await rm(join(sets, name));
}

const address = (id: string): string => `default/db/data@${id}`;

/** Every point that a set names is sound to the last byte, and shows what was captured. */
async function restorable(dir: string): Promise<void> {
  const named = (await readdir(join(vm(dir), 'sets'))).map((name) => name.slice(0, -'.json'.length));
  await succeed(at(dir, ['validate', ...named.map(address)]));
}

/** The points that were there before the verb, oldest first; the rerun says the same of them. */
const idsIn = (dir: string): string[] =>
  Object.keys(JSON.parse(readFileSync(join(dir, 'before.json'), 'utf8')) as object)
    .filter((path) => path.includes('/points/'))
    .sort()
    .map((path) => basename(path).slice(7, -'.json'.length));

interface Shape {
  name: string;
  needs: CrashCase['needs'];
  /** The points that sets name and that are there afterwards, by the versions of the disk. */
  kept: readonly number[];
  run: readonly [from: number, to: number];
}

const merging = ({ name, needs, kept, run }: Shape): CrashCase => ({
  name: `backup-chain merge (${name})`,
  needs,
  keeps: [
    'every point that a set names validates to the last byte, before and after the rerun',
    'no published file changes or is lost: each is in its place or in the trash, the old manifest too',
    'after the rerun the merge is done, there is no temporary, and every data file is named by a manifest',
  ],
  material: (dir) => history(dir, kept),
  prepare: async (dir, material) => {
    await cp(material, dir, { recursive: true });
    await remember(dir);
  },
  command: (dir) => {
    const [from = '', to = ''] = run.map((n) => idsIn(dir)[n]);
    return at(dir, ['merge', `${address(from)}..${to}`]);
  },
  interrupted: async (dir) => {
    await soundOrTrashed(dir);
    await restorable(dir);
  },
  settled: async (dir) => {
    await soundOrTrashed(dir);
    await succeed(at(dir, ['validate', '--level', 'deep']));
    await tidy(dir);
    const contents = (await points(dir)).map(({ contentSha256 }) => contentSha256);
    expect(contents).toEqual(kept.map((version) => contentOf(bytesOf(version))));
  },
});

export const cases: readonly CrashCase[] = [
  merging({ name: 'increments', needs: [], kept: [0, 2, 3], run: [1, 2] }),
  merging({ name: 'fold by the writer', needs: ['root', 'ext4'], kept: [1], run: [0, 1] }),
  merging({ name: 'fold by reflink', needs: ['root', 'xfs'], kept: [2, 3], run: [0, 2] }),
];

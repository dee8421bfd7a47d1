import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase, Disturbance } from '../case.ts';
import {
  at,
  bytesOf,
  capturing,
  clean,
  first,
  image,
  points,
  proven,
  published,
  remember,
  sound,
  soundOrTrashed,
  tidy,
  vm,
  whole,
} from '../chain.ts';

async function captured(dir: string, version: number, ...more: string[]): Promise<void> {
  await writeFile(image(dir), bytesOf(version));
  await succeed([...capturing(dir), ...more]);
}

/** Only the sets of these points, by their place in the order of points, are still there. */
async function onlySets(dir: string, places: readonly number[]): Promise<void> {
  for (const [place, { id }] of (await points(dir)).entries())
    if (!places.includes(place)) await rm(join(vm(dir), 'sets', `${id}.json`), { force: true });
}

const placed = (dir: string, material: string): Promise<void> => cp(material, dir, { recursive: true });

/** A chain of one point that nothing names, and one of four whose second is pinned and whose first nothing names. */
async function prunable(dir: string): Promise<void> {
  await first(dir);
  await captured(dir, 1, '--full');
  for (const version of [2, 3, 4]) await captured(dir, version);
  await onlySets(dir, [2, 3, 4]);
  const [, , second] = await points(dir);
  await succeed(at(dir, ['pin', `default/db@${second?.id}`, '--name', 'audit']));
  await remember(dir);
  await writeFile(join(dir, 'contents.json'), JSON.stringify(await contents(dir)));
}

const contents = async (dir: string): Promise<[string, string][]> =>
  (await points(dir)).map(({ id, contentSha256 }) => [id, contentSha256]);
const before = async (dir: string): Promise<[string, string][]> =>
  JSON.parse(await readFile(join(dir, 'contents.json'), 'utf8'));

/** All that was there lies in its place or in the trash; what lies in its place holds together, and after a kill proves so. */
async function nothingLost(dir: string, disturbance?: Disturbance): Promise<void> {
  await soundOrTrashed(dir);
  if (disturbance?.fault === 'kill') await succeed(at(dir, ['validate']));
}

/** The retained points are there with their content, and nothing is lost or rewritten. */
async function kept(dir: string, disturbance?: Disturbance): Promise<[string, string][]> {
  const [, , second, , last] = await before(dir);
  expect(await contents(dir)).toEqual(expect.arrayContaining([second, last]));
  await nothingLost(dir, disturbance);
  return [second, last] as [string, string][];
}

/** Three points of which the second was merged into the third, or the last was dropped; noted before. */
async function trashed(dir: string, how: 'merge' | 'drop'): Promise<void> {
  await first(dir);
  for (const version of [1, 2]) await captured(dir, version);
  await onlySets(dir, [0, 2]);
  if (how === 'drop') await captured(dir, 3, '--full');
  if (how === 'drop') await onlySets(dir, [0, 3]);
  await remember(dir);
  const [, second, third] = await points(dir);
  if (how === 'drop') await succeed(at(dir, ['prune', '--keep-last', '9']));
  else await succeed(at(dir, ['merge', `default/db/data@${second?.id}..${third?.id}`]));
}

const restoring = (dir: string): string[] => at(dir, ['trash', 'restore', 'default/db@latest']);

/** All is as it was before the operation that is undone. */
async function asBefore(dir: string): Promise<void> {
  await proven(dir);
  await tidy(dir);
  const was = Object.keys(JSON.parse(await readFile(join(dir, 'before.json'), 'utf8')) as object);
  expect([...(await published(dir)).keys()].sort()).toEqual(was.sort());
}

const restores = (how: 'merge' | 'drop', what: string): CrashCase => ({
  name: `backup-chain trash restore (${what})`,
  needs: [],
  keeps: [
    'every point that is there is sound, before and after the rerun',
    'after the rerun all files are byte for byte as before the operation',
    clean,
  ],
  material: (dir) => trashed(dir, how),
  prepare: placed,
  command: restoring,
  accepts: [0, 3],
  interrupted: nothingLost,
  settled: asBefore,
});

const pins = async (dir: string): Promise<string[]> => (await readdir(join(vm(dir), 'pins'))).sort();

async function pinned(dir: string, reason: string): Promise<void> {
  await succeed(at(dir, ['pin', 'default/db@latest', '--name', 'audit', '--reason', reason]));
}

/** The reason of the only pin, as the file tells it. */
async function reason(dir: string): Promise<string | null> {
  const [name] = (await pins(dir)).filter((one) => !one.startsWith('.tmp-'));
  return name === undefined ? null : JSON.parse(await readFile(join(vm(dir), 'pins', name), 'utf8')).reason;
}

export const cases: readonly CrashCase[] = [
  {
    name: 'backup-chain prune (a merge, a fold, a dropped point)',
    needs: [],
    keeps: [
      'every point that is there is sound, before and after the rerun',
      'the points of kept sets keep their content',
      'no data file is lost: it lies in its place or in the trash, with the bytes it had',
      'no set names a point that is not there',
      clean,
    ],
    material: prunable,
    prepare: placed,
    command: (dir) => at(dir, ['prune', '--keep-last', '1', '--fold', 'always']),
    interrupted: async (dir, disturbance) => void (await kept(dir, disturbance)),
    settled: async (dir) => {
      const retained = await kept(dir);
      await succeed(at(dir, ['validate']));
      await tidy(dir);
      expect(await contents(dir)).toEqual(retained);
      expect((await readdir(join(vm(dir), 'sets'))).sort()).toEqual(retained.map(([id]) => `${id}.json`));
    },
  },
  restores('merge', 'a merge'),
  restores('drop', 'dropped points'),
  {
    name: 'backup-chain trash purge',
    needs: [],
    keeps: [whole[0] as string, whole[1] as string, 'after the rerun the trash is empty'],
    material: async (dir) => {
      await trashed(dir, 'merge');
      await remember(dir);
    },
    prepare: placed,
    command: (dir) => at(dir, ['trash', 'purge', '--older-than', '0']),
    interrupted: sound,
    settled: async (dir) => {
      await proven(dir);
      expect(await readdir(join(vm(dir), 'trash'))).toEqual([]);
    },
  },
  {
    name: 'backup-chain pin (in place of another)',
    needs: [],
    keeps: ['the pin is the old one or the new one', 'after the rerun there is no temporary'],
    material: async (dir) => {
      await first(dir);
      await pinned(dir, 'old');
    },
    prepare: placed,
    command: (dir) => at(dir, ['pin', 'default/db@latest', '--name', 'audit', '--reason', 'new']),
    interrupted: async (dir) => expect(await reason(dir)).toBeOneOf(['old', 'new']),
    settled: async (dir) => {
      expect([(await pins(dir)).length, await reason(dir)]).toEqual([1, 'new']);
      await proven(dir);
    },
  },
  {
    name: 'backup-chain pin (--remove)',
    needs: [],
    keeps: ['the pin is whole or gone'],
    material: async (dir) => {
      await first(dir);
      await pinned(dir, 'old');
    },
    prepare: placed,
    command: (dir) => at(dir, ['pin', 'default/db@latest', '--remove', 'audit']),
    interrupted: async (dir) => expect(await reason(dir)).toBeOneOf(['old', null]),
    settled: async (dir) => expect(await pins(dir)).toEqual([]),
  },
];

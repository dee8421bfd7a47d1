import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../ground/run.ts';
import type { CrashCase, Disturbance } from './case.ts';

export const tool = 'reflink-pool';
const size = 65_536;
export const image = (letter: string) => letter.repeat(size);
export const env = (dir: string) => ({ PLATTER_POOL: join(dir, 'pool') });
export const ours = (dir: string, ...words: string[]) => succeed([tool, ...words], { env: env(dir) });

/** Writes one block of the working copy, as a guest would. */
export async function scribble(dir: string, letter: string): Promise<void> {
  const path = join(dir, 'pool/vm/root-dirty.img');
  await writeFile(path, image(letter), { flag: 'r+' });
}

/** A pool with the volume vm/root, whose states are A (revision 1) and B (head). */
async function pool(dir: string): Promise<void> {
  await succeed(['mkdir', join(dir, 'pool')]);
  await ours(dir, 'init', '--reserve', '0');
  for (const letter of ['A', 'B']) {
    await writeFile(join(dir, `${letter}.raw`), image(letter));
    await ours(dir, 'import', 'vm/root', join(dir, `${letter}.raw`), '--create', '--copy');
  }
}

/** The pool again, with its hard links; every file has another inode then, so nothing runs in it. */
export async function copyOf(dir: string, material: string): Promise<void> {
  await succeed(['cp', '-a', '--reflink=auto', `${material}/.`, dir]);
}

export async function started(dir: string, material: string, letter?: string): Promise<void> {
  await copyOf(dir, material);
  await ours(dir, 'start', 'vm/root');
  if (letter !== undefined) await scribble(dir, letter);
}

/** Every file of the pool by its path, with the first letter of what it holds and its link count's sake left aside. */
export async function files(dir: string): Promise<Record<string, string>> {
  const names = await readdir(join(dir, 'pool'), { recursive: true, withFileTypes: true });
  const plain = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const told = await Promise.all(plain.sort().map(async (path) => [path.slice(dir.length + 6), await letterOf(path)]));
  return Object.fromEntries(told);
}

/** The letter an image is full of; what holds anything else says so. */
async function letterOf(path: string): Promise<string> {
  const content = await readFile(path, 'utf8');
  const [letter = ''] = content;
  return content === image(letter) ? letter : `${content.length} bytes`;
}

export const images = async (dir: string) =>
  Object.fromEntries(Object.entries(await files(dir)).filter(([path]) => !path.startsWith('.platter/')));

export const head = async (dir: string, volume = 'vm/root') => (await images(dir))[`${volume}.img`];
export const work = async (dir: string, volume = 'vm/root') => (await images(dir))[`${volume}-dirty.img`];

/** The letters that some committed name of the volume holds. */
export async function states(dir: string): Promise<string[]> {
  const committed = Object.entries(await images(dir)).filter(([path]) => /^vm\/root\.img(\.\d+@[^~]*Z)?$/.test(path));
  return [...new Set(committed.map(([, letter]) => letter))].sort();
}

/** Nothing half made is visible and nothing is left: no temporaries, no sidecar that cannot be read. */
export async function clean(dir: string): Promise<void> {
  const paths = Object.keys(await files(dir));
  expect(paths.filter((path) => path.includes('~'))).toEqual([]);
  for (const path of paths.filter((one) => one.endsWith('.json')))
    expect(JSON.parse(await readFile(join(dir, 'pool', path), 'utf8'))).toBeTypeOf('object');
}

/** What a clean-up that ran must have taken away already: all but a kill cleans up. */
export async function tidy(dir: string, { fault }: Disturbance): Promise<void> {
  const own = Object.keys(await files(dir)).filter((path) => path.includes('~'));
  if (fault === 'enospc' || fault === 'int') expect(own).toEqual([]);
}

/** The head is the old state or the new one, and every state named before is still named. */
export const whole = (before: readonly string[], heads: readonly string[]) => async (dir: string, at: Disturbance) => {
  expect(await head(dir)).toBeOneOf([...heads]);
  expect(await states(dir)).toEqual(expect.arrayContaining([...before]));
  await tidy(dir, at);
};

export const promise = {
  head: 'the head is whole, in its old or its new state',
  states: 'every state that had a name still has one, unless the policy let it go',
  temporaries: 'no temporary is left after the rerun, and none where the run could clean up',
  work: 'what was written stays in the working copy until it is the head',
};

export const onVolume = {
  material: pool,
  prepare: copyOf,
  env,
  keeps: [promise.head, promise.states, promise.temporaries],
} satisfies Partial<CrashCase>;

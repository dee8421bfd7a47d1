import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../ground/run.ts';

const cluster = 65_536;
export const size = 40 * cluster;

export const bytesOf = (version: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < 24 * cluster; at += 32) {
    const owner = at < 8 * cluster || at >= 20 * cluster ? version : 0;
    bytes.set(createHash('sha256').update(`${owner}/${at}`).digest(), at);
  }
  if (version > 0) bytes.fill(0, 10 * cluster, 12 * cluster);
  return bytes;
};

export const repo = (dir: string): string => join(dir, 'repo');
export const image = (dir: string): string => join(dir, 'disk.raw');
export const at = (dir: string, words: readonly string[]): string[] => ['backup-chain', ...words, '--repo', repo(dir)];
export const capturing = (dir: string): string[] =>
  at(dir, ['capture', '--vm', 'db', `data=${image(dir)}`, '--format', 'raw', '--label', 'a=b']);

export const first = async (dir: string): Promise<void> => {
  await mkdir(repo(dir));
  await succeed(at(dir, ['init']));
  await writeFile(image(dir), bytesOf(0));
  await succeed(capturing(dir));
};

export const vm = (dir: string): string => join(repo(dir), 'vms/default/db');
export const disk = (dir: string): string => join(vm(dir), 'disks/data');

interface Point {
  id: string;
  contentSha256: string;
  data: { file: string; size: number };
  digests: { file: string; sha256: string };
}

async function manifests<T>(folder: string): Promise<T[]> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  const real = names.filter((name) => name.endsWith('.json') && !name.startsWith('.tmp-')).sort();
  return Promise.all(real.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as T));
}

export const points = (dir: string): Promise<Point[]> => manifests<Point>(join(disk(dir), 'points'));
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest();

/** Every chunk of a point's file is what its list says, and the list is what the manifest says. */
async function intact(dir: string, { data, digests }: Point): Promise<void> {
  const [bytes, list] = [
    await readFile(join(disk(dir), 'data', data.file)),
    await readFile(join(disk(dir), 'data', digests.file)),
  ];
  expect([bytes.length, sha256(list).toString('hex')]).toEqual([data.size, digests.sha256]);
  for (let n = 0; n * cluster < bytes.length; n += 1)
    expect(list.subarray(n * 32, n * 32 + 32).equals(sha256(bytes.subarray(n * cluster, (n + 1) * cluster)))).toBe(
      true,
    );
}

/** Every published file of the repository, by its bytes. */
export async function published(dir: string): Promise<Map<string, string>> {
  const files = (await readdir(repo(dir), { recursive: true })).filter((path) => /\.(qcow2|dig|json)$/.test(path));
  const real = files.filter((path) => !path.includes('.tmp-') && !path.includes('/trash/'));
  const all = real.map(
    async (path) =>
      [
        path,
        createHash('sha256')
          .update(await readFile(join(repo(dir), path)))
          .digest('hex'),
      ] as const,
  );
  return new Map(await Promise.all(all));
}

/** Every point is sound to the last byte, and every set names points that are there. */
async function consistent(dir: string): Promise<void> {
  const all = await points(dir);
  for (const point of all) await intact(dir, point);
  const sets = await manifests<{ members: { point: string }[] }>(join(vm(dir), 'sets'));
  const ids = all.map(({ id }) => id);
  for (const { members } of sets) for (const { point } of members) expect(ids).toContain(point);
}

const remembered = async (dir: string): Promise<Record<string, string>> =>
  JSON.parse(await readFile(join(dir, 'before.json'), 'utf8').catch(() => '{}'));

/** What was there is as it was, and all of it is consistent. */
export async function sound(dir: string): Promise<void> {
  await consistent(dir);
  const now = await published(dir);
  for (const [path, digest] of Object.entries(await remembered(dir))) expect(now.get(path), path).toBe(digest);
}

/** What lies in the trash and the manifests that were replaced, by the paths they had and their bytes. */
async function trashed(dir: string): Promise<Set<string>> {
  const found = new Set<string>();
  const folder = join(vm(dir), 'trash');
  for (const entry of existsSync(folder) ? await readdir(folder) : []) {
    const paths = await readdir(join(folder, entry), { recursive: true });
    for (const path of paths.filter((name) => /\.(qcow2|dig|json)$/.test(name))) {
      const bytes = await readFile(join(folder, entry, path));
      found.add(`vms/default/db/${path} ${sha256(bytes).toString('hex')}`);
      const { replaced } = path === 'why.json' ? JSON.parse(bytes.toString()) : { replaced: null };
      if (replaced) found.add(`vms/default/db/${replaced.path} ${sha256(replaced.before).toString('hex')}`);
    }
  }
  return found;
}

/** What was there is as it was, in its place or in the trash, and all that is not is consistent. */
export async function soundOrTrashed(dir: string): Promise<void> {
  await consistent(dir);
  const [now, gone] = [await published(dir), await trashed(dir)];
  for (const [path, digest] of Object.entries(await remembered(dir)))
    if (now.get(path) !== digest) expect(gone).toContain(`${path} ${digest}`);
}

/** The same, and the tool's own proofs hold. */
export async function proven(dir: string): Promise<void> {
  await sound(dir);
  await succeed(at(dir, ['validate']));
}

export async function remember(dir: string): Promise<void> {
  await writeFile(join(dir, 'before.json'), JSON.stringify(Object.fromEntries(await published(dir))));
}

/** Nothing half made and no orphan outside the trash: every data file is named by a manifest. */
export async function tidy(dir: string): Promise<void> {
  const paths = (await readdir(repo(dir), { recursive: true })).filter((path) => !path.includes('/trash'));
  expect(paths.filter((path) => path.includes('.tmp-'))).toEqual([]);
  const named = (await points(dir)).flatMap(({ data, digests }) => [data.file, digests.file]);
  const files = paths.filter((path) => /\.(qcow2|dig)$/.test(path)).map((path) => basename(path));
  expect(files.sort()).toEqual(named.sort());
}

/** `platter-content/1` of a disk (its spec, 2.4), reckoned anew. */
export function contentOf(bytes: Uint8Array): string {
  const hash = createHash('sha256').update(`platter-content/1 ${bytes.length}\n`);
  for (let n = 0; n * cluster < bytes.length; n += 1) {
    const chunk = bytes.subarray(n * cluster, (n + 1) * cluster);
    const index = Buffer.alloc(8);
    index.writeBigUInt64BE(BigInt(n));
    if (chunk.some((byte) => byte !== 0)) hash.update(index).update(sha256(chunk));
  }
  return hash.digest('hex');
}

export const newestContent = async (dir: string): Promise<string | undefined> =>
  (await points(dir)).at(-1)?.contentSha256;

export const head = async (device: string): Promise<Buffer> => {
  const file = await open(device, 'r');
  try {
    return (await file.read(Buffer.alloc(2 ** 20), 0, 2 ** 20, 0)).buffer;
  } finally {
    await file.close();
  }
};

export const blank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

export const whole = [
  'the points that were there are sound to the last byte, before and after the rerun',
  'no byte of a published file ever changes',
  'a new point is absent or complete',
];
export const clean = 'after the rerun there is no temporary and no data file that no manifest names';

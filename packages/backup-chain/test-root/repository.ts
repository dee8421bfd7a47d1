import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestText, seal } from '../src/manifest.ts';
import { Disk } from '../test/model.ts';
import { done } from '../test/tool.ts';

/** A repository with one disk: a full and three increments, each with other tables. */
export interface Fixture {
  root: string;
  /** The folder of the disk. */
  disk: string;
  ids: string[];
}

const diskFolder = (root: string): string => join(root, 'vms/default/db/disks/data');

/** The ids of points, oldest first, by the folder of their disk. */
export const idsOf = (disk: string): string[] =>
  readdirSync(join(disk, 'points'))
    .sort()
    .map((name) => name.slice(7, -5));

/** The states of a disk; another `shift` writes other clusters, as many. */
const history = (shift: number): Disk[] => {
  const all = Array.from({ length: 20 }, (_, n) => 2 * n + shift);
  return [0, 1, 2, 3].map((last) => {
    const disk = new Disk(64 * 65_536).write(...all);
    if (last > 0) disk.write(2, 40, 41, 50 + shift).zero(4, 6);
    if (last > 1) disk.write(8, 41, 43, 52 + shift).zero(10, 12);
    if (last > 2) disk.write(14, 44, 53).zero(40);
    return disk;
  });
};

/** The content of the newest point. */
export const newest = (): Uint8Array => (history(0).at(-1) as Disk).bytes;

/** Captures a disk four times into a repository; one that is not there is made. */
export async function makeRepository(root: string, { vm = 'db', disk = 'data', shift = 0 } = {}): Promise<void> {
  mkdirSync(root, { recursive: true });
  await done(['init', '--repo', root]);
  const source = join(root, '..', `${disk}.raw`);
  const words = ['--vm', vm, `${disk}=${source}`, '--format', 'raw', '--uid', `${disk}=uid-${disk}`];
  for (const state of history(shift)) {
    state.save(source);
    await done(['capture', '--repo', root, ...words]);
  }
}

/** A repository with a disk that shrinks to within a cluster, grows over windows and is zeroed in parts, in five points. */
export async function makeGrown(root: string): Promise<void> {
  mkdirSync(root, { recursive: true });
  await done(['init', '--repo', root]);
  const disk = new Disk(40 * 65_536).write(...Array.from({ length: 40 }, (_, n) => n));
  const states = [
    () => disk,
    () => disk.write(1, 2, 39).zero(5, 6),
    () => disk.resize(20 * 65_536 + 512).write(3),
    () => disk.resize(9000 * 65_536).write(30, 8191, 8192, 8999),
    () => disk.zero(8192, 2).write(7),
  ];
  const image = `${root}.raw`;
  for (const state of states) {
    state().save(image);
    await done(['capture', '--repo', root, '--vm', 'db', `data=${image}`, '--format', 'raw']);
  }
}

export class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'platter-matrix-'));
  readonly good = join(this.folder, 'good');

  async make(): Promise<void> {
    await makeRepository(this.good);
  }

  copy(): Fixture {
    const root = join(this.folder, 'damaged');
    rmSync(root, { recursive: true, force: true });
    cpSync(this.good, root, { recursive: true, verbatimSymlinks: true });
    return { root, disk: diskFolder(root), ids: idsOf(diskFolder(root)) };
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const pad = (n: number): string => String(n).padStart(6, '0');

/** The files of the n-th point. */
export const manifestFile = ({ disk, ids }: Fixture, n: number): string =>
  join(disk, 'points', `${pad(n + 1)}-${ids[n]}.json`);
export const dataFile = ({ disk, ids }: Fixture, n: number): string => join(disk, 'data', `${ids[n]}.0.qcow2`);
export const digestFile = ({ disk, ids }: Fixture, n: number): string => join(disk, 'data', `${ids[n]}.0.dig`);

/** The manifest of the newest set. */
export const setFile = ({ root, ids }: Fixture): string => join(root, 'vms/default/db/sets', `${ids.at(-1)}.json`);

/** Changes a manifest and seals it again, so that only its meaning is wrong. */
export function forge(path: string, change: (manifest: Record<string, unknown>) => void, to = path): void {
  const { self: _, ...manifest } = JSON.parse(readFileSync(path, 'utf8'));
  change(manifest);
  rmSync(to, { force: true });
  writeFileSync(to, manifestText(seal(manifest)));
}

/** Changes bytes of a file in place. */
export function patch(path: string, at: number, bytes: Uint8Array | number[]): void {
  const content = readFileSync(path);
  content.set(bytes, at);
  writeFileSync(path, content);
}

/** Turns one bit of a file. */
export function flip(path: string, at: number, bit = 0x10): void {
  const content = readFileSync(path);
  content[at] = (content[at] as number) ^ bit;
  writeFileSync(path, content);
}

export const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
export const u64 = (value: bigint): number[] =>
  Array.from({ length: 8 }, (_, n) => Number((value >> BigInt(56 - 8 * n)) & 255n));

import type { Host } from '@platter/host/door';
import { lstat } from '@platter/host/looks';
import type { Manifest, Point } from './manifest-kinds.ts';
import { type DataFile, type Leaf, leaf, type VmFacts } from './repository.ts';
import { type Entry, holds, type ReadableEntry } from './trash-entries.ts';

/** Something that would come back, and the disk it belongs to. */
interface Of<T> {
  disk: string;
  value: T;
}

/** What comes back when an entry is undone, by what it is. */
export interface Returning {
  points: Of<Leaf<Point>>[];
  sets: Leaf<Manifest<'BackupSet'>>[];
  data: Of<DataFile>[];
  attachments: string[];
}

/** Where the items of an entry are now. */
export interface Places {
  /** Still in the entry. */
  held: string[];
  /** Neither there nor in their place. */
  gone: string[];
  /** In the entry, and their place is taken. */
  taken: string[];
}

const manifest = /^disks\/([^/]+)\/points\/[^/]+\.json$/;
const file = /^disks\/([^/]+)\/data\/([^/]+)$/;

/** The disk of a point's manifest among the items; null for other items. */
export const pointItem = (item: string): string | null => manifest.exec(item)?.[1] ?? null;
export const isSetItem = (item: string): boolean => /^sets\/[^/]+\.json$/.test(item);

/** Where the items of an entry lie. */
export async function placesOf(host: Host, { paths }: VmFacts, entry: ReadableEntry): Promise<Places> {
  const places: Places = { held: [], gone: [], taken: [] };
  for (const item of entry.value.items) {
    const there = (await host.query(lstat(`${paths.folder}/${item}`))) !== null;
    if (holds(entry, item)) places[there ? 'taken' : 'held'].push(item);
    else if (!there) places.gone.push(item);
  }
  return places;
}

async function dataFile(host: Host, path: string, name: string): Promise<DataFile> {
  const { kind = 'nothing', size = 0, nlink = 0 } = (await host.query(lstat(path))) ?? {};
  return { name, kind, size, nlink };
}

/** Reads what lies in an entry, as it would be in its place. */
export async function returningFrom(host: Host, { path }: Entry, items: readonly string[]): Promise<Returning> {
  const returning: Returning = { points: [], sets: [], data: [], attachments: [] };
  for (const item of items) {
    const from = `${path}/${item}`;
    const disk = pointItem(item);
    const [, of, name] = file.exec(item) ?? [];
    if (disk !== null) returning.points.push({ disk, value: await leaf(host, from, 'BackupPoint') });
    else if (of !== undefined && name !== undefined)
      returning.data.push({ disk: of, value: await dataFile(host, from, name) });
    else if (isSetItem(item)) returning.sets.push(await leaf(host, from, 'BackupSet'));
    else returning.attachments.push(item.slice('sets/'.length));
  }
  return returning;
}

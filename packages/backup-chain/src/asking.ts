import { basename, resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { readLines } from '@platter/command/records';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { parseDiskName, parsePair, parsePlace } from './address.ts';
import type { CaptureWish, DiskWish } from './capture.ts';
import { type ChangeList, changeLists, volumeOf } from './change-list.ts';

type Place = CaptureWish['place'];
type Record_ = Record<string, unknown>;

/** What stdin names: changes of disks, and records of images with their path. */
export interface Heard {
  lists: ChangeList[];
  images: { name: string; vm: string | null; path: string; format: 'raw' | 'qcow2' | null }[];
}

/** Exit 2, with the way out. */
export const usage = (message: string, hint?: string): Failure => new Failure('usage', message, hint ? { hint } : {});

function imageOf(record: Record_): Heard['images'][number] | null {
  const { path, format, kind, volume } = record;
  if (typeof path !== 'string') return null;
  const { name } = (record.metadata ?? record) as { name?: unknown };
  const said = kind === 'Disk' ? basename(path).replace(/\.[^.]+$/, '') : String(volume ?? name ?? basename(path));
  const parts = (said.split('@')[0] ?? '').split('/');
  const known = format === 'raw' || format === 'qcow2' ? format : null;
  return { name: parts.at(-1) ?? '', vm: kind === 'Disk' ? null : (parts.at(-2) ?? null), path, format: known };
}

/** Reads stdin when a word is `-`: DiskDiff lines, and records with a path. */
export async function hear(call: Call<unknown>): Promise<Heard> {
  const diffs: Record_[] = [];
  const images: Heard['images'] = [];
  if (call.words.includes('-'))
    for await (const line of readLines(call)) {
      const record = 'record' in line ? line.record : { path: line.word };
      const image = record.kind === 'DiskDiff' ? null : imageOf(record);
      if (record.kind === 'DiskDiff') diffs.push(record);
      else if (image !== null) images.push(image);
    }
  return { lists: changeLists(diffs), images };
}

export interface Said {
  words: readonly string[];
  heard: Heard;
  format: 'raw' | 'qcow2' | undefined;
  uids: ReadonlyMap<string, string>;
  /** Null: what is said are no paths. */
  cwd: string | null;
}

/** The list of changes that is meant for a disk: the one of its volume, or the only one there is for the only disk. */
function listFor(disk: string, names: readonly string[], lists: readonly ChangeList[]): ChangeList | null {
  const named = lists.filter(({ to }) => volumeOf(to.ref ?? '') === disk);
  if (named.length > 1) throw usage(`stdin has ${named.length} lists of changes of ${disk}`);
  const only = names.length === 1 && lists.length === 1 ? lists[0] : undefined;
  return named[0] ?? only ?? null;
}

/** The disks of a run: from words, and from what stdin names beside them (spec 3.2). */
export function disksOf({ words, heard, format, uids, cwd }: Said): DiskWish[] {
  const pairs = words
    .filter((word) => word !== '-')
    .map((word) => reading('DISK=SOURCE', () => parsePair(word, 'DISK=SOURCE')));
  const pathOf = (said: string) => (cwd === null ? said : resolve(cwd, said));
  const spoken = pairs.map(([disk, path]) => ({ disk, path: pathOf(path), format: format ?? null }));
  const images = heard.images.map((one) => ({
    disk: one.name,
    path: pathOf(one.path),
    format: format ?? one.format,
  }));
  const listed = heard.lists.map(({ to }) => ({ disk: volumeOf(to.ref ?? ''), path: to.path, format: 'raw' as const }));
  const implied = spoken.length === 1 && listed.length === 1 ? [] : listed;
  const all = [...spoken, ...[...images, ...implied].filter(({ disk }) => !spoken.some((one) => one.disk === disk))];
  const names = all.map(({ disk }) => reading('DISK', () => parseDiskName(disk)));
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) throw usage(`the disk ${twice} is named twice`);
  return all.map((one) => {
    const list = listFor(one.disk, names, heard.lists);
    return { ...one, format: one.format ?? list?.format ?? null, list, uid: uids.get(one.disk) ?? null };
  });
}

/** The VM of a run: what was said, else the one that all images of stdin belong to. */
export function placeOf(said: string | undefined, { images, lists }: Heard): Place {
  if (said !== undefined) {
    const place = reading('--vm', () => parsePlace(said));
    if (place.disk === null) return place;
    throw usage(`--vm ${said} names a disk`, '--vm NS/VM, and the disk in DISK=SOURCE');
  }
  const segments = lists.map(({ to }) => to.ref?.split('@')[0]?.split('/').at(-2) ?? null);
  const vms = new Set([...images.map(({ vm }) => vm), ...segments]);
  const [vm] = vms;
  if (vms.size === 1 && vm) return reading('the VM', () => parsePlace(vm));
  throw usage('which VM?', '--vm [NS/]VM');
}

/** `NAME=VALUE` flags as a map; a name said twice is exit 2. */
export function pairsOf(flag: string, words: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const word of words) {
    const [name, value] = reading(flag, () => parsePair(word, 'NAME=VALUE'));
    if (map.has(name)) throw usage(`${flag}: ${name} is said twice`);
    map.set(name, value);
  }
  return map;
}

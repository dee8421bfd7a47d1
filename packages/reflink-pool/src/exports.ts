import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { list, lstat, text } from '@platter/host/looks';
import { about } from './about.ts';
import { sameImage } from './naming.ts';
import { hidden, type Pool } from './pool.ts';
import type { ExportRecord } from './records/copy.ts';
import { type ExportFile, readExport } from './sidecar.ts';
import type { Image, Revision } from './volume.ts';
import type { Way } from './ways.ts';

/** An open export: a further name of a committed image, or a clone of it where there could be none, with what is noted about it. */
export interface Export extends Image, Pick<ExportFile, 'volume' | 'number'> {
  id: string;
  method: Way;
  /** RFC 3339; null is never. */
  expiresAt: string | null;
}

/** A name of ours among the exports: a note, an image, or what an image was being built under. */
const pattern = /^([0-9a-f]{12})\.(?:json|img(?:~[a-z0-9_]{8})?)$/;
const idIn = (name: string) => pattern.exec(name)?.[1];

/** The path of an export's image or of its note. */
export const exportPath = (pool: Pick<Pool, 'path'>, id: string, end: 'img' | 'json'): string =>
  hidden(pool, `exports/${id}.${end}`);

export const exportsDir = (pool: Pick<Pool, 'path'>): string => hidden(pool, 'exports');

/** The names of ours among the exports, by id in byte order. */
async function namesById(pool: Pool): Promise<Map<string, string[]>> {
  const entries = (await pool.host.query(list(exportsDir(pool)))) ?? [];
  const names = entries.map(({ name }) => name).filter((name) => idIn(name) !== undefined);
  return Map.groupBy(names, (name) => idIn(name) ?? '');
}

/** The ids of all exports that something is there of, in byte order. */
export const exportIds = async (pool: Pool): Promise<string[]> => [...(await namesById(pool)).keys()];

/** The open exports of a pool, in byte order of their ids. */
export async function openExports(pool: Pool): Promise<Export[]> {
  const found = await Promise.all((await exportIds(pool)).map((id) => openExport(pool, id)));
  return found.filter((one) => one !== null);
}

/** One of them; null unless both its image and its note are there. */
export async function openExport(pool: Pool, id: string): Promise<Export | null> {
  const path = exportPath(pool, id, 'img');
  const [stat, noted] = [await pool.host.query(lstat(path)), await noteOf(pool, id)];
  if (stat?.kind !== 'file' || noted === null) return null;
  const { volume, number, expiresAt = null, method = 'link' } = noted;
  return { ...stat, path, id, volume, number, expiresAt, method };
}

/** What is noted about an export; null when nothing is, or nothing that can be read. */
export async function noteOf(pool: Pool, id: string): Promise<ExportFile | null> {
  const content = await pool.host.query(text(exportPath(pool, id, 'json')));
  return content === null ? null : readExport(content);
}

/**
 * Whether a revision is what an export of its volume keeps. A head may have been exported before it had a number: its
 * image tells. A clone has an inode of its own: there the number tells, while size and time are those of the revision.
 */
export function isExported(revision: Revision, { number, ...image }: Export): boolean {
  if (sameImage(image, revision)) return true;
  return number === revision.number && image.size === revision.size && image.mtimeNs === revision.mtimeNs;
}

/** Ends an export under its volume's lock: its image goes first, so that a crash leaves a note that keeps nothing. */
export async function endExport(pool: Pool, id: string, why: string): Promise<void> {
  await pool.host.change(because(remove(exportPath(pool, id, 'img')), why));
  await pool.host.change(remove(exportPath(pool, id, 'json')));
  await pool.host.change(sync(exportsDir(pool)));
}

/**
 * Takes away what crashes left of exports, under the lock of `volume`: its notes without an image, and images without a
 * note, which nobody is making, since a note comes first and goes last.
 */
export async function sweepExports(pool: Pool, volume: string): Promise<void> {
  for (const [id, names] of await namesById(pool)) {
    if (names.includes(`${id}.img`) && names.includes(`${id}.json`)) continue;
    const content = await pool.host.query(text(exportPath(pool, id, 'json')));
    if (content === null || readExport(content)?.volume === volume) await drop(pool, names, 'left by a crash');
  }
}

/** Takes away what is there under an id of which no note says what it is. */
export const dropExport = async (pool: Pool, id: string): Promise<void> =>
  drop(pool, (await namesById(pool)).get(id) ?? [], 'nothing says what it is of');

/** The note goes last. */
async function drop(pool: Pool, names: readonly string[], why: string): Promise<void> {
  for (const name of names) await pool.host.change(because(remove(`${exportsDir(pool)}/${name}`), why));
}

/** The record of an export that is there, or was. */
export const exportRecord = (
  { volume, id, number, path, size, method, expiresAt }: Export,
  outcome: ExportRecord['outcome'],
): ExportRecord => ({ ...about('Export', volume), id, number, path, size, method, expiresAt, outcome });

import { create, link, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { formatInstant } from '@platter/units/instant';
import { committed } from './committed.ts';
import {
  dropExport,
  type Export,
  endExport,
  exportPath,
  exportRecord,
  exportsDir,
  noteOf,
  openExport,
  sweepExports,
} from './exports.ts';
import { expiryOf } from './facts.ts';
import { locked } from './lock.ts';
import { mustExist } from './machine.ts';
import type { Pool } from './pool.ts';
import { cloneLimit } from './prediction.ts';
import { noteNumber } from './prune.ts';
import type { ExportRecord } from './records/copy.ts';
import type { Reference } from './reference.ts';
import { built, clone, takeAway } from './steps.ts';
import { exists, type Image, type Volume } from './volume.ts';
import { firstOf, groundOf, waysTo } from './ways.ts';

/** What the person wants of an export. */
export interface ExportWish {
  /** Milliseconds from now; null is for ever. */
  expires: number | null;
  allowCopy: boolean;
}

/** Opens an export: a further name of a committed image, which keeps it whatever becomes of the volume. */
export async function openFor(
  pool: Pool,
  { volume: name, target }: Reference,
  wish: ExportWish,
): Promise<ExportRecord> {
  const expiresAt = wish.expires === null ? null : expiryOf(pool.call.now(), wish.expires);
  return locked(pool, name, async (found) => {
    const volume = await mustExist(pool, found);
    const { image, number } = committed(pool, volume, target);
    const ground = await groundOf(pool, exportsDir(pool));
    const ways = waysTo(pool, image, { ground, link: true, allowCopy: wish.allowCopy });
    await sweepExports(pool, name);
    const id = Buffer.from(pool.call.random(6)).toString('hex');
    const one = { ...image, path: exportPath(pool, id, 'img'), id, volume: name, number, expiresAt };
    const method = await firstOf(ways, image, (way) => placed(pool, image, { ...one, method: way }));
    return exportRecord({ ...one, method }, 'open');
  });
}

/** The note, then the image: that it has this name is what makes it an export. */
async function placed(pool: Pool, from: Image, one: Export): Promise<void> {
  const { path, method, expiresAt } = one;
  const why = expiresAt === null ? 'kept until the export is ended' : `kept until ${expiresAt}`;
  try {
    await note(pool, one);
    if (method === 'link') {
      await pool.host.change(because(link(from.path, path), why));
      await pool.host.change(sync(exportsDir(pool)));
    } else
      await clone(pool, { from, to: path, mode: 0o400, how: method, why, ...(await cloneLimit(pool, from, method)) });
  } catch (error) {
    await takeAway(pool, [path, exportPath(pool, one.id, 'json')], 'it could not be opened');
    throw error;
  }
}

/** Written whole: its temporary is one of the volume's, which the next verb that holds its lock sweeps. */
async function note(pool: Pool, { id, volume, number, expiresAt, method }: Export): Promise<void> {
  const content = { id, volume, number, createdAt: formatInstant(pool.call.now()), expiresAt, method };
  await built(pool, pool.volumeFile(volume), async (temp) => {
    await pool.host.change(because(create(temp, `${JSON.stringify(content)}\n`, 0o600), 'what the export is of'));
    await pool.host.change(rename(temp, exportPath(pool, id, 'json')));
  });
}

/** Ends an export; one that is not open has ended already. */
export async function end(pool: Pool, id: string): Promise<ExportRecord> {
  const noted = await noteOf(pool, id);
  if (noted === null) {
    await dropExport(pool, id);
    return ended(id);
  }
  return locked(pool, noted.volume, async (volume) => {
    const one = await openExport(pool, id);
    if (isLastTrace(volume)) await noteNumber(pool, volume, volume.file.counter);
    if (one !== null) await endExport(pool, id, 'the export is over');
    await sweepExports(pool, noted.volume);
    return one === null ? ended(id) : exportRecord(one, 'ended');
  });
}

/** Whether a number that no name carries is known from exports and sets alone. */
const isLastTrace = (volume: Volume): boolean =>
  exists(volume) && volume.sidecar === 'absent' && volume.file.counter > (volume.revisions.at(-1)?.number ?? 0);

/** The record of an export of which nothing is left to tell. */
const ended = (id: string): ExportRecord => ({
  ...{ apiVersion: 'platter.dev/v1', kind: 'Export', metadata: { name: id }, id },
  ...{ volume: null, number: null, path: null, size: null, method: null, expiresAt: null, outcome: 'ended' },
});

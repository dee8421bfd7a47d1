import { hash } from 'node:crypto';
import { Failure } from '@platter/host/failure';
import { unreadable } from './chain.ts';
import { refuse } from './finding.ts';
import { readManifest } from './manifest.ts';
import type { VmFacts } from './repository.ts';
import { isSetItem, type Places, pointItem, type Returning } from './returning.ts';
import { type Entry, holds, type ReadableEntry } from './trash-entries.ts';
import { formerOf, wrongThen } from './would-be.ts';

/** All that is known of an entry that is to be undone. */
export interface Undoing {
  name: string;
  facts: VmFacts;
  entry: ReadableEntry;
  /** The VM's other entries. */
  others: readonly Entry[];
  places: Places;
  returning: Returning;
  /** What the replaced manifest is now; null when nothing was replaced, or it is not there. */
  current: string | null;
}

/** How an entry is undone; paths are relative to the VM's folder. */
export interface UndoPlan {
  /** Data and attachments. */
  data: string[];
  /** Manifests, each after those it names. */
  manifests: string[];
  /** The manifest that comes back last, by rename. */
  commit: { path: string; before: string } | null;
  /** Files of the merge that is undone. */
  needless: string[];
}

const refused = (name: string, why: string, notes: { by?: string; hint: string }): Failure =>
  new Failure('refused', `will not restore ${name}: ${why}`, {
    ...(notes.by === undefined ? {} : { details: { by: notes.by } }),
    hint: notes.hint,
  });

function refuseMoved({ name, entry, others, places }: Undoing): void {
  if (entry.value.op === 'sweep')
    throw refused(name, 'it holds leftovers that no set and no point needs', {
      hint: 'trash purge removes it in time',
    });
  const [taken] = places.taken;
  if (taken !== undefined)
    throw refused(name, 'what it holds is there again', { by: taken, hint: 'backup-chain validate' });
  const [gone] = places.gone;
  if (gone === undefined) return;
  const other = others.find((one) => holds(one, gone));
  if (other)
    throw refused(name, 'part of it went on into a later entry', {
      by: gone,
      hint: `backup-chain trash restore ${name.replace(/@.*/, `@${other.name}`)}`,
    });
  throw refused(name, 'part of it is gone for good', {
    by: gone,
    hint: 'what is left can be restored loosely: restore --files',
  });
}

/** A later operation built on what this one left: its traces cannot be taken out from below. */
function refuseBuiltOn({ name, entry, current }: Undoing): void {
  const { replaced } = entry.value;
  if (replaced === null || (current !== null && hash('sha256', current) === replaced.after)) return;
  throw refused(name, 'what it left was changed since', {
    by: replaced.path,
    hint: 'restore later entries first, newest first: backup-chain trash list',
  });
}

function needlessOf({ entry, current }: Undoing): string[] {
  const { replaced } = entry.value;
  const { value } = readManifest('BackupPoint', current ?? '');
  if (replaced === null || value === null) return [];
  const data = replaced.path.replace(/points\/[^/]*$/, 'data');
  return [`${data}/${value.data.file}`, `${data}/${value.digests.file}`];
}

/**
 * How an entry is undone. 5 when what lies in it cannot be read; 3 when part of it is elsewhere, when what the
 * operation left was changed since, or when something would be wrong with what comes back.
 */
export function undoOf(undoing: Undoing): UndoPlan {
  const { name, entry, places, returning } = undoing;
  refuseMoved(undoing);
  refuseBuiltOn(undoing);
  const former = formerOf(undoing);
  refuse(
    unreadable([...returning.points.map(({ value }) => value), ...returning.sets, ...former]),
    `cannot restore ${name}: it is damaged`,
  );
  const [wrong] = wrongThen(undoing, former);
  if (wrong)
    throw refused(name, 'it does not fit any more', {
      by: `${wrong.object}: ${wrong.message}`,
      hint: 'restore first what it needs: backup-chain trash list',
    });
  const { replaced } = entry.value;
  const isPoint = (item: string) => pointItem(item) !== null;
  return {
    data: places.held.filter((item) => !isPoint(item) && !isSetItem(item)),
    manifests: [...places.held.filter(isPoint).reverse(), ...places.held.filter(isSetItem)],
    commit: replaced,
    needless: needlessOf(undoing),
  };
}

import type { Call } from '@platter/command/call';
import { Failure, Interrupted } from '@platter/host/failure';
import type { VolumeGroup } from './records.ts';
import type { Result } from './result.ts';
import { scopeOf } from './serve.ts';
import type { Session } from './session.ts';
import type { GroupSpec } from './spec.ts';
import { recordOf } from './status.ts';
import { findSidecars, type Group, lookAtGroup } from './survey.ts';
import { nothing, readVg, type VgFacts } from './vg.ts';
import { groupView } from './view.ts';

/** What LVM sees on the loops of a group; null when that could not be told. */
export async function factsOf(session: Session, { images }: Group): Promise<VgFacts | null> {
  const devices = images.flatMap(({ loops }) => (loops.length === 1 && loops[0] ? [loops[0].name] : []));
  if (devices.length === 0) return nothing;
  return readVg(session, scopeOf(images, devices)).catch((error) => {
    if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
    return null;
  });
}

/** A group and what LVM sees on its loops; null: that could not be told. */
export interface Seen {
  group: Group;
  facts: VgFacts | null;
}

const look = async (session: Session, name: string): Promise<Group> =>
  lookAtGroup(session, await findSidecars(session.host, session.roots), name);

/** Prints a group as it is after a run that changed it; a dry run has nothing to look at. */
export async function tell(session: Session, name: string, result: Result): Promise<void> {
  const { host, call, deeds } = session;
  if (host.dry) return;
  const group = result.seen.group ?? (await look(session, name));
  const facts = result.seen.facts ?? (await factsOf(session, group));
  for (const { object, kind, detail } of result.drift)
    if (kind === 'not-in-spec') call.note(`${name}: ${object} was not asked for; ${detail} removes it`);
  const record = recordOf({ group, facts, shared: new Map() }, result, deeds);
  await call.emit(record, groupView(record));
}

/** A result of a run that only looked. */
export const nothingSaid: Result = { drift: [], failure: null, seen: {} };

/** Prints that a group is another node's. */
export async function skip(call: Call<unknown>, { name, vgName }: GroupSpec): Promise<void> {
  const group = { name, images: [], unreadable: [], unknown: [] };
  const record = recordOf({ group, facts: nothing, shared: new Map() }, nothingSaid, []);
  const elsewhere: VolumeGroup = {
    ...record,
    spec: { ...record.spec, vgName: vgName ?? name },
    status: { ...record.status, phase: 'skipped' },
  };
  await call.emit(elsewhere, groupView(elsewhere));
}

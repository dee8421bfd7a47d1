import type { Call } from '@platter/command/call';
import { every } from '@platter/command/every';
import { namesOf } from '@platter/command/records';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import type { Common } from './flags.ts';
import { lockedVg } from './locks.ts';
import type { Session } from './session.ts';
import type { Sidecar } from './sidecar.ts';
import { type Found, findSidecars, type Group, groupNames, lookAtGroup } from './survey.ts';

/** The groups named by words, or null for all of them. */
export async function namesAsked(call: Call<Common & { all: boolean }>): Promise<string[] | null> {
  if (call.flags.all === call.words.length > 0) throw new Invalid('either GROUP... or --all');
  return call.flags.all ? null : groupsNamed(call);
}

/** The words of a verb as names of groups; `-` reads records or bare names. */
export const groupsNamed = (call: Call<Common>): Promise<string[]> =>
  namesOf(call, ({ kind, metadata }) =>
    kind === 'VolumeGroup' ? (metadata as { name?: string } | undefined)?.name : undefined,
  );

/** Does the same for each of several groups under its lock; `named`: the person named them. */
export async function eachGroup(
  session: Session,
  asked: readonly string[] | null,
  work: (group: Group, named: boolean) => Promise<void>,
): Promise<void> {
  const found = await findSidecars(session.host, session.roots);
  const names = asked ?? groupNames(found);
  await every(session.call, { names, alike: true }, async (name) => {
    session.deeds = [];
    await lockedVg(session, vgNameIn(found, name), async () => work(await now(session, name), asked !== null));
  });
}

/** A group as it is under its lock. */
async function now(session: Session, name: string): Promise<Group> {
  return lookAtGroup(session, await findSidecars(session.host, session.roots), name);
}

/** The VG name a group's sidecars agree on; a group with unreadable ones only is locked by its own name. */
export function vgNameIn(found: readonly Found[], name: string): string {
  const own = found.filter(({ group }) => group === name);
  if (own.length === 0) throw unknownGroup(name);
  const readable = own.map(({ sidecar }) => sidecar).find((sidecar): sidecar is Sidecar => typeof sidecar !== 'string');
  return readable?.vgName ?? name;
}

export const unknownGroup = (name: string) =>
  new Failure('refused', `there is no group ${name} in the roots`, {
    hint: 'lvm-loop list, or name the directory of its images with --dir',
  });

import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import type { Place } from './address.ts';
import { chainOf } from './chain.ts';
import { readable } from './chain-rules.ts';
import type { ChangeList } from './change-list.ts';
import { type Decision, decide, type Parent, type Wish } from './engine.ts';
import { enterAny, freshId, settleIn } from './entering.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import { type Origin, openOrigin } from './origin.ts';
import { capturePoint } from './point.ts';
import { type Attachment, heading, publishSet } from './publish.ts';
import { openRepository, type VmFacts } from './repository.ts';

/** One disk to capture, as it was said. */
export interface DiskWish {
  disk: string;
  path: string;
  format: 'raw' | 'qcow2' | null;
  uid: string | null;
  list: ChangeList | null;
}

/** One capture run, as it was said. */
export interface CaptureWish extends Wish {
  root: string;
  place: Pick<Place, 'namespace' | 'vm'>;
  disks: readonly DiskWish[];
  consistency: 'offline' | 'frozen' | 'crash';
  labels: Record<string, string>;
  attachments: readonly Attachment[];
  verify: boolean;
  at: number | undefined;
  workers: number;
  wait: number;
}

/** A disk that passed: what it is captured from, on what, and how. */
export interface Prepared {
  wish: DiskWish;
  origin: Origin;
  parent: Parent | null;
  decision: Decision;
}

/** What all disks of a run have in common. */
export interface Run {
  wish: CaptureWish;
  facts: VmFacts;
  id: string;
  taken: Pick<Point, 'capturedAt' | 'capturedAtFrom' | 'consistency'>;
}

export interface Captured {
  outcome: 'created' | 'unchanged';
  point: Point;
  links: number;
  bytesRead: number;
}

function parentOf(facts: VmFacts, name: string): Parent | null {
  const disk = facts.disks.find((one) => one.name === name);
  const latest = disk && readable(disk).reduce<Point | null>((a, b) => (a && a.sequence > b.sequence ? a : b), null);
  if (!disk || !latest) return null;
  const { links, findings } = chainOf({ facts, disk }, latest.id);
  return { point: latest, links: links.length, findings };
}

function uidClash(facts: VmFacts, { disk, uid }: DiskWish): void {
  const known = facts.disks.find(({ name }) => name === disk)?.identity.value?.uid;
  if (uid === null || known === undefined || known === uid) return;
  throw new Failure('refused', `will not capture ${disk}: the repository knows it as ${known}, not ${uid}`);
}

function prepare(facts: VmFacts, run: CaptureWish, [wish, origin]: readonly [DiskWish, Origin]): Prepared {
  uidClash(facts, wish);
  const parent = parentOf(facts, wish.disk);
  const decision = decide(run, { parent, list: wish.list, source: origin.identity });
  return { wish, origin, parent, decision };
}

function tell(call: Call<unknown>, { wish, decision, parent }: Prepared): void {
  if (decision.ignored !== null) call.note(`${wish.disk}: the list of changes is not used: ${decision.ignored}`);
  if (decision.fullReason !== 'chain-damaged') return;
  const [first] = parent?.findings ?? [];
  call.warn(`${wish.disk}: a new full, because its chain is damaged: ${first?.object}: ${first?.message}`);
}

const takenAt = ({ at, consistency }: CaptureWish, now: number): Run['taken'] => ({
  capturedAt: new Date(at ?? now).toISOString(),
  capturedAtFrom: at === undefined ? 'clock' : 'given',
  consistency,
});

function memberOf({ point }: Captured): BackupSet['members'][number] {
  const { disk, id, stateId, virtualSize } = point;
  return { disk: disk.name, uid: disk.uid, point: id, stateId, virtualSize };
}

const setOf = ({ wish, facts, id, taken }: Run, captured: readonly Captured[]) => ({
  ...heading('BackupSet'),
  repo: facts.repo.id,
  namespace: facts.namespace,
  vm: facts.vm,
  id,
  ...taken,
  members: captured.map(memberOf),
  labels: wish.labels,
});

/**
 * One capture run: judges every source before anything is changed, then makes a point of each disk that changed, in
 * name order, and a set of all. `done` is told of each disk as it is captured.
 */
export async function capture(
  call: Call<unknown>,
  wish: CaptureWish,
  done: (captured: Captured) => Promise<void>,
): Promise<{ set: BackupSet; captured: Captured[] }> {
  const repo = await openRepository(call.host, wish.root);
  const disks = [...wish.disks].sort((a, b) => (a.disk < b.disk ? -1 : 1));
  const origins: [DiskWish, Origin][] = [];
  for (const disk of disks) origins.push([disk, await openOrigin(call.host, disk.path, disk.format)]);
  const entered = await enterAny(call, repo, { ...wish.place, wait: wish.wait });
  const { facts } = entered;
  const prepared = origins.map((one) => prepare(facts, wish, one));
  for (const one of prepared) tell(call, one);
  const now = call.now();
  await settleIn(call, entered, { wait: wish.wait, now });
  const id = freshId(facts, now, () => call.random(2));
  const run: Run = { wish, facts, id, taken: takenAt(wish, now) };
  const captured: Captured[] = [];
  for (const one of prepared) {
    captured.push(await capturePoint(call, run, one));
    await done(captured.at(-1) as Captured);
  }
  const set = await publishSet(call.host, facts, { set: setOf(run, captured), attachments: wish.attachments });
  return { set, captured };
}

import type { Call } from '@platter/command/call';
import type { Place } from './address.ts';
import type { ChangeList } from './change-list.ts';
import type { Wish } from './engine.ts';
import { enterAny, freshId, settleIn } from './entering.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import { openOrigin } from './origin.ts';
import { capturePoint } from './point.ts';
import { type Prepared, prepare, tell } from './preparing.ts';
import { type Attachment, publishSet } from './publish.ts';
import { openRepository } from './repository.ts';
import { type Run, setOf, takenAt } from './run.ts';
import { rotateImage, tracked, trackingOf } from './tracking.ts';

/** One disk to capture, as it was said. */
export interface DiskWish {
  disk: string;
  /** Of an image; of a running QEMU its node or device. */
  path: string;
  format: 'raw' | 'qcow2' | null;
  uid: string | null;
  list: ChangeList | null;
}

/** One capture run, as it was said. */
export interface CaptureWish extends Wish {
  root: string;
  /** The monitor socket of a running QEMU. */
  qmp: string | null;
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

/** A disk as it was captured. */
export interface Captured {
  outcome: 'created' | 'unchanged';
  point: Point;
  links: number;
  bytesRead: number;
  /** Why it was not captured by what the source marks, where it could have been. */
  engineReason: string | null;
}

type Opened = Pick<Prepared, 'wish' | 'origin' | 'tracking'>;

async function openAll({ host }: Call<unknown>, wish: CaptureWish, repo: string): Promise<Opened[]> {
  const disks = [...wish.disks].sort((a, b) => (a.disk < b.disk ? -1 : 1));
  const opened: Opened[] = [];
  for (const disk of disks) {
    const origin = await openOrigin(host, disk.path, disk.format);
    opened.push({ wish: disk, origin, tracking: await trackingOf(host, wish, { origin, repo }) });
  }
  return opened;
}

/**
 * One capture run: judges every source before anything is changed, then makes a point of each disk that changed, in
 * name order, and a set of all. `done` is told of each disk as it is captured.
 */
export async function capture(
  call: Call<unknown>,
  wish: CaptureWish,
  done: (captured: Captured) => Promise<void>,
): Promise<{ set: BackupSet | null; captured: Captured[] }> {
  if (wish.qmp !== null) return (await import('./pushing.ts')).push(call, { wish, socket: wish.qmp }, done);
  const repo = await openRepository(call.host, wish.root);
  const opened = await openAll(call, wish, repo.id);
  const entered = await enterAny(call, repo, { ...wish.place, wait: wish.wait });
  const { facts } = entered;
  const prepared = opened.map((one) => prepare(facts, wish, one));
  for (const one of prepared) tell(call, one);
  const now = call.now();
  await settleIn(call, entered, { wait: wish.wait, now });
  const id = freshId(facts, now, () => call.random(2));
  const run: Run = { wish, facts, id, taken: takenAt(wish, now) };
  const captured: Captured[] = [];
  for (const one of prepared) {
    captured.push(await tracked(call.host, { prepared: one, facts, id }, (ready) => capturePoint(call, run, ready)));
    await done(captured.at(-1) as Captured);
  }
  const set = await publishSet(call.host, facts, { set: setOf(run, captured), attachments: wish.attachments });
  for (const [n, one] of prepared.entries())
    await rotateImage(call, one, { facts, id, isNew: captured[n]?.outcome === 'created' });
  return { set, captured };
}

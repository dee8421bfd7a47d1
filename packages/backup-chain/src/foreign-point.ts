import { createHash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { sip } from '@platter/host/sip';
import { canonical } from '@platter/qcow2/geometry';
import type { Draft, Finished } from './draft.ts';
import { commitPoint, drafting, growing } from './drafting.ts';
import { type History, unproven } from './foreign.ts';
import type { DiskPaths } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import { identityOf } from './origin.ts';
import { type NewPoint, newPoint } from './point-manifest.ts';
import { namedNode } from './qemu-words.ts';
import { readBack } from './read-back.ts';
import { showPour } from './rehearsal.ts';
import { contentOf, type Link, stackOf } from './stack.ts';
import { takeOver } from './taking-over.ts';
import { copyVerbatim } from './verbatim.ts';

/** One file that becomes a point. */
export interface Making
  extends Pick<NewPoint, 'facts' | 'disk' | 'uid' | 'parent' | 'taken' | 'id' | 'type' | 'labels'> {
  call: Call<unknown>;
  paths: DiskPaths;
  link: Link;
  /** The chain that it stands on, its files open; in a dry run files that are not points yet are among them. */
  below: readonly Link[];
  from: History['from'];
  checkpoint: string | null;
  workers: number;
}

type Plan = ReturnType<typeof planOf>;
const planOf = ({ paths, id, link, type, workers }: Making) => ({
  ...growing(paths, id),
  virtualSize: link.layer.header.size,
  type,
  workers,
});

/** SHA-256 over the digests of a file's chunks. */
export async function rootOf(held: Held, workers: number): Promise<string> {
  const hash = createHash('sha256');
  for await (const { sha256 } of sip(held, { workers })) hash.update(sha256);
  return hash.digest('hex');
}

/** The file as it is. */
async function copied({ call, link, facts }: Making, plan: Plan): Promise<Finished> {
  const progress = call.progress(link.name, link.held.size);
  const report = (done: number) => progress.update(done);
  const finished = await copyVerbatim(call.host, link, { ...plan, root: facts.repo.root, report });
  progress.end();
  return finished;
}

/** All that the file has, in canonical form. */
async function rewritten({ call, link, below }: Making, draft: Draft, plan: Plan): Promise<Finished> {
  const whole = stackOf([...below, link]);
  const progress = call.progress(link.name, whole.virtualSize);
  await takeOver({ draft, upper: stackOf([link]), whole, report: (done) => progress.update(done) });
  progress.end();
  const finished = await draft.finish();
  draft.close();
  const parent = below.length === 0 ? null : stackOf(below);
  const path = parent === null ? link.name : namedNode(whole);
  if (call.host.dry) await showPour(call.host, { path, format: 'qcow2' }, { plan, parent });
  return finished;
}

function refuseMoved({ held, name }: Link): void {
  if (!held.same()) throw new Failure('busy', `${name} changed while it was read`);
}

/** The content digest of what the chain composes to with the new file; in a dry run with the one it is made of. */
function contentWith({ call, below, link }: Making, plan: Plan): Promise<string> {
  if (call.host.dry) return contentOf(stackOf([...below, link]));
  return readBack(call.host, plan, below.length === 0 ? null : stackOf(below));
}

function captureOf(
  { call, from, type, checkpoint, link: { held, name } }: Making,
  sourceRoot: string,
): Point['capture'] {
  return {
    engine: `import-${from}`,
    fullReason: type === 'full' ? 'imported' : null,
    checkpoint,
    unproven: [...unproven[from]],
    tool: `backup-chain ${call.version}`,
    source: { path: name, ref: null, format: 'qcow2', ...identityOf(held), sourceRoot },
  };
}

/** Makes a point of a foreign file (spec 3.2, steps 3 to 7): as it is when it is canonical, else rewritten. */
export async function importPoint(making: Making): Promise<Point> {
  const { call, link, paths, workers } = making;
  const plan = planOf(making);
  const asItIs = (await canonical(link.layer)).length === 0;
  return drafting(call.host, plan, async (draft, undo) => {
    const finished = asItIs ? await copied(making, plan) : await rewritten(making, draft, plan);
    const root = asItIs ? finished.digestsSha256 : await rootOf(link.held, workers);
    refuseMoved(link);
    const contentSha256 = await contentWith(making, plan);
    const { facts, disk, uid, parent, taken, id, type, labels } = making;
    const own = { facts, disk, uid, parent, taken, id, type, labels, finished };
    const { virtualSize } = plan;
    const point = newPoint({ ...own, virtualSize, contentSha256, capture: captureOf(making, root) });
    await commitPoint(call.host, { paths, plan, point }, undo);
    return point;
  });
}

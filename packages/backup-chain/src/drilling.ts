import { hash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { create, remove } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import { addressName } from './address.ts';
import { type DrillWish, type Evidence, evidenceOf } from './evidence.ts';
import { manifestText } from './manifest.ts';
import type { CheckedFilesystem, Point, Receipt } from './manifest-kinds.ts';
import { heading } from './publish.ts';
import { showConversion } from './qemu.ts';
import { type Draft, keepReceipt, looseReceipt } from './receipts.ts';
import type { DiskFacts, VmFacts } from './repository.ts';
import { manifestOf } from './resolving.ts';
import { inScratch, scratchNames } from './scratch.ts';
import { openPoint, type Source } from './sources.ts';

/** A point to drill, and the set it is drilled as a part of. */
export interface Task {
  facts: VmFacts;
  disk: DiskFacts;
  id: string;
  set: string | null;
}

export const taskName = ({ facts: { namespace, vm }, disk, id }: Task): string =>
  addressName({ namespace, vm, disk: disk.name, ref: id });

/** What came of looking: what was seen, or that the chain is damaged. */
type Outcome = { evidence: Evidence; failure: null } | { evidence: null; failure: Failure };

async function outcomeOf(look: () => Promise<Evidence>): Promise<Outcome> {
  try {
    return { evidence: await look(), failure: null };
  } catch (error) {
    if (error instanceof Failure && error.kind === 'corrupt') return { evidence: null, failure: error };
    throw error;
  }
}

/** Whether the filesystems prove what was asked for. */
function proven(filesystems: readonly CheckedFilesystem[], fsck: DrillWish['fsck']): boolean {
  if (fsck === 'require') return filesystems.length > 0 && filesystems.every(({ result }) => result === 'ok');
  return filesystems.every(({ result }) => result !== 'bad');
}

const whyOf = ({ message, details }: Failure): string => [message, details.by].filter(Boolean).join(': ');

interface Seen {
  wish: DrillWish;
  outcome: Outcome;
  recorded: string | null;
  begun: number;
}

type Subject = Pick<Draft, 'repo' | 'disk' | 'point' | 'set' | 'manifestSha256'>;

function draftOf(call: Call<unknown>, subject: Subject, { wish, outcome, recorded, begun }: Seen): Draft {
  const { found = null, bytes = 0, filesystems = [] } = outcome.evidence ?? {};
  const equal = recorded === null ? null : found === recorded;
  const good = outcome.failure === null && equal !== false && proven(filesystems, wish.fsck);
  return {
    ...heading('Drill'),
    ...subject,
    via: wish.via,
    engine: wish.via === 'overlay' ? 'qemu' : 'native',
    content: { recorded, found },
    equal,
    filesystems,
    result: good ? 'ok' : 'failed',
    failure: outcome.failure === null ? null : whyOf(outcome.failure),
    bytes,
    seconds: (call.now() - begun) / 1000,
    host: call.holder.host,
    tool: `backup-chain ${call.version}`,
  };
}

const subjectOf = (point: Point, set: string | null): Subject => ({
  repo: point.repo,
  disk: point.disk,
  point: point.id,
  set,
  manifestSha256: hash('sha256', manifestText(point)),
});

/** Shows in a dry run what a drill does before it knows which filesystems there are. */
async function rehearse(call: Call<unknown>, source: Source, { via, into }: DrillWish): Promise<void> {
  if (via !== 'scratch') return;
  await inScratch(call, { parent: into, for: 'drill', id: source.point?.id ?? 'loose' }, async (folder) => {
    const path = `${folder}/${scratchNames.disk}`;
    await call.host.change(create(path, '', 0o600));
    await call.host.change({ op: 'truncate', path, size: source.stack.virtualSize });
    await showConversion(call.host, source.stack, path);
    await call.host.change(remove(path));
  });
}

/** Proves one point and keeps a receipt of it, also of one that fails; null in a dry run. */
export async function drillPoint(call: Call<unknown>, task: Task, wish: DrillWish): Promise<Receipt | null> {
  const { facts, disk, id, set } = task;
  const point = manifestOf(disk, id);
  if (call.host.dry) return rehearse(call, await openPoint(call, facts, { disk, id }), wish).then(() => null);
  const begun = call.now();
  const outcome = await outcomeOf(async () => evidenceOf(call, await openPoint(call, facts, { disk, id }), wish));
  if (point === undefined) throw outcome.failure ?? new Failure('corrupt', `${taskName(task)} has no manifest`);
  const seen = { wish, outcome, recorded: point.contentSha256, begun };
  return keepReceipt(call, facts.paths, draftOf(call, subjectOf(point, set), seen));
}

/** Proves that loose files can be restored and their filesystems are sound; nothing is known of their content. */
export async function drillLoose(call: Call<unknown>, source: Source, wish: DrillWish): Promise<Receipt | null> {
  if (call.host.dry) return rehearse(call, source, wish).then(() => null);
  const begun = call.now();
  const outcome = await outcomeOf(() => evidenceOf(call, source, wish));
  const subject = { repo: null, disk: null, point: source.name, set: null, manifestSha256: null };
  return looseReceipt(call, draftOf(call, subject, { wish, outcome, recorded: null, begun }));
}

import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, realpath } from '@platter/host/looks';
import { compare } from '@platter/host/tools/qemu-img';
import { differences, dirtyTail, type Look } from './difference.ts';
import { clusterSize } from './layout.ts';
import { chainNode } from './qemu-words.ts';
import type { Source } from './sources.ts';
import type { Stack } from './stack.ts';

/** How a target differs from a disk. */
interface Difference {
  /** Offset of the first cluster that differs, or of the first behind the disk that is not zero. */
  first: number | null;
  clusters: number;
}

/** Where a target differs, ascending: on the disk, or by not being zero behind it. */
async function* places(look: Look, stack: Stack): AsyncGenerator<number> {
  const { target, virtualSize } = look;
  for await (const cluster of differences(look, stack)) yield cluster * clusterSize;
  if (target.size <= virtualSize) return;
  for await (const cluster of dirtyTail(look)) yield Math.max(virtualSize, cluster * clusterSize);
}

async function differenceOf(look: Look, stack: Stack): Promise<Difference> {
  const found: Difference = { first: null, clusters: 0 };
  let last = -1;
  for await (const at of places(look, stack)) {
    const cluster = Math.floor(at / clusterSize);
    if (cluster !== last) found.clusters += 1;
    found.first ??= at;
    last = cluster;
  }
  return found;
}

/** Asks qemu-img the same; sizes are ours to compare, for it only warns. */
async function secondOpinion(
  host: Host,
  { stack, name }: Source,
  { target, equal }: { target: Held; equal: boolean },
): Promise<void> {
  if (target.size < stack.virtualSize) return;
  const { links } = stack;
  const filename = `/proc/self/fd/${links.length + 3}`;
  const file = { driver: target.kind === 'block' ? 'host_device' : 'file', filename };
  const nodes = [chainNode(links.length), { driver: 'raw', file }] as const;
  if ((await compare(host, nodes, [...links.map(({ held }) => held), target])) === equal) return;
  throw new Failure(
    'corrupt',
    `qemu-img compare says that ${target.path} ${equal ? 'differs from' : 'equals'} ${name}`,
    {
      details: { 'backup-chain': `says that it ${equal ? 'is equal' : 'differs'}` },
    },
  );
}

/** A target to look at, opened for reading; it may be in use. */
async function openAgainst(host: Host, said: string): Promise<Held> {
  const path = await host.query(realpath(said));
  if (path === null) throw new Failure('refused', `${said} does not exist`);
  return host.query(hold(path, { direct: true }));
}

export interface VerifyWish {
  against: string;
  oracle: boolean;
  workers: number;
}

/** Compares what lies on a device or in a file with a chain, and tells; nothing is changed (spec 3.9). */
export async function verification(call: Call<unknown>, source: Source, { against, oracle, workers }: VerifyWish) {
  const { stack, name } = source;
  const target = await openAgainst(call.host, against);
  const progress = call.progress(`verify ${name}`, Math.min(target.size, stack.virtualSize));
  const look: Look = { target, virtualSize: stack.virtualSize, workers, report: progress.update };
  const { first, clusters } = await differenceOf(look, stack);
  progress.end();
  if (oracle) await secondOpinion(call.host, source, { target, equal: first === null });
  const whole = target.size >= stack.virtualSize;
  return {
    apiVersion: 'platter.dev/v1' as const,
    kind: 'BackupVerification' as const,
    metadata: { name },
    against,
    equal: first === null,
    bytesRead: whole ? target.size : Math.floor(target.size / clusterSize) * clusterSize,
    firstDifference: first,
    differingClusters: clusters,
  };
}
export type Verification = Awaited<ReturnType<typeof verification>>;

/** One line about a verification. */
export const verificationText = ({ metadata, against, equal, ...found }: Verification): string =>
  equal
    ? `${metadata.name}  equal to ${against}`
    : `${metadata.name}  ${against} differs in ${found.differingClusters} clusters, the first at ${found.firstDifference}`;

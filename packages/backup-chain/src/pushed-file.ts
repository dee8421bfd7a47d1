import { chmod, create, flush } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { sip } from '@platter/host/sip';
import { canonical } from '@platter/qcow2/geometry';
import { type Layer, openLayer } from '@platter/qcow2/open';
import { digestAt } from './digest.ts';
import { DigestFile } from './digest-file.ts';
import type { DraftPlan, Finished } from './draft.ts';
import { clusterSize } from './layout.ts';
import { damage } from './opening.ts';
import { type Clusters, countOf, touched, without } from './scope.ts';
import { type Range, spans, stackOf } from './stack.ts';

const strange = (path: string, by: string): Failure =>
  new Failure('corrupt', `what QEMU pushed to ${path} is no canonical image`, { details: { by } });

/** The pushed image, if it is one whose chunks are the guest's clusters. */
async function judged(held: Held, { data, type, virtualSize }: DraftPlan): Promise<Layer> {
  try {
    const layer = await openLayer(source(held), type === 'full' ? 'full' : 'increment');
    const [first] = await canonical(layer);
    if (first !== undefined) throw strange(data, `${first.field} ${first.message}`);
    if (layer.header.size === virtualSize) return layer;
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw strange(data, damage(data, error)[0]?.message ?? '');
  }
  throw strange(data, 'it has another size');
}

/** Writes the digest list of a file beside it, and gives the list's own digest. */
async function listDigests(host: Host, held: Held, { digests, workers }: DraftPlan): Promise<string> {
  await host.change(create(digests, '', 0o600));
  const list = await host.query(hold(digests, { write: true }));
  await host.change(chmod(digests, 0o444));
  const file = new DigestFile(host);
  for await (const { count, at, sha256 } of sip(held, { workers })) {
    for (let n = 0; n < count; n += 1) file.put((at[n] as number) / clusterSize, digestAt(sha256, n));
    await file.pour(list);
  }
  await file.pour(list, true);
  await host.change(flush(list));
  list.close();
  const written = await host.query(hold(digests));
  try {
    return await file.sha256(written);
  } finally {
    written.close();
  }
}

/** Clusters of data and of zeros, and what the image has no entry for. */
async function inventory(held: Held, layer: Layer) {
  const stack = stackOf([{ name: held.path, held, layer, digests: null }]);
  const found: Record<string, Range[]> = { data: [], zero: [], absent: [] };
  for await (const { kind, at, length } of spans(stack, { at: 0, length: stack.virtualSize }))
    found[kind]?.push({ at, length });
  const count = (ranges: Range[] = []) => countOf(touched(ranges));
  return { dataClusters: count(found.data), zeroClusters: count(found.zero), absent: touched(found.absent ?? []) };
}

/**
 * Makes a point's file of what QEMU pushed: it must be canonical, 5 if not; its digest list is written beside it.
 * Every one of `wanted` must have an entry, or the bitmap QEMU went by is not of this chain: 5.
 */
export async function settlePushed(host: Host, plan: DraftPlan, wanted: readonly Clusters[]): Promise<Finished> {
  const held = await host.query(hold(plan.data));
  try {
    const layer = await judged(held, plan);
    const { absent, ...counts } = await inventory(held, layer);
    if (countOf(without(wanted, absent)) < countOf(wanted))
      throw new Failure('corrupt', 'the bitmap is not of this chain: clusters differ that it does not mark', {
        hint: '--full starts a new chain',
      });
    return { size: held.size, ...counts, digestsSha256: await listDigests(host, held, plan) };
  } finally {
    held.close();
  }
}

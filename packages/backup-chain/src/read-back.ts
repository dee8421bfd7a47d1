import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { sip } from '@platter/host/sip';
import { openLayer } from '@platter/qcow2/open';
import { digestAt, sameDigest } from './digest.ts';
import { ChunkCache, Digests, verified } from './digests.ts';
import { clusterSize } from './layout.ts';
import { contentOf, type Link, type Range, type Stack, stackOf } from './stack.ts';

/** What was written is not what can be read. */
export const torn = (path: string, at: number): Failure =>
  new Failure('corrupt', `${path} does not read back as it was written, at offset ${at}`, {
    hint: 'the disk below the repository, or the memory of this machine, is not to be trusted',
  });

/** The digests of chunks at these offsets, which ascend. */
async function expectedAt(digests: Digests, at: Float64Array): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for (let n = 0; n < at.length; ) {
    const first = (at[n] as number) / clusterSize;
    let count = 1;
    while (at[n + count] === (first + count) * clusterSize) count += 1;
    list.push(await digests.read(first, count));
    n += count;
  }
  return Buffer.concat(list);
}

/** Chunks of a file, past the page cache, against the digests they were written with. */
async function chunksAsWritten({ name, held, digests }: Link, { chunks, workers }: Written): Promise<void> {
  for await (const { count, at, sha256 } of sip(held, { workers, ...(chunks ? { ranges: chunks } : {}) })) {
    const expected = await expectedAt(digests as Digests, at);
    if (sameDigest(sha256, expected)) continue;
    for (let n = 0; n < count; n += 1)
      if (!sameDigest(digestAt(sha256, n), digestAt(expected, n))) throw torn(name, at[n] as number);
  }
}

export interface Written {
  data: string;
  digests: string;
  type: 'full' | 'incremental';
  workers: number;
  /** What of the data file was written, ascending; all of it unless said. */
  chunks?: readonly Range[];
}

/**
 * Reads finished files back past the page cache: each chunk is what was written, else 5. Gives the content digest of
 * what the chain on `parent` composes to with them.
 */
export async function readBack(host: Host, plan: Written, parent: Stack | null): Promise<string> {
  const data = await host.query(hold(plan.data, { direct: true }));
  const list = await host.query(hold(plan.digests));
  try {
    const digests = new Digests(source(list));
    const checked = verified({ source: source(data), digests, cache: new ChunkCache(), key: plan.data });
    const layer = await openLayer(checked, plan.type === 'full' ? 'full' : 'increment');
    const link: Link = { name: plan.data, held: data, layer, digests };
    await chunksAsWritten(link, plan);
    return await contentOf(stackOf([...(parent?.links ?? []), link]));
  } finally {
    data.close();
    list.close();
  }
}

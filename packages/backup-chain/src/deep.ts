import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { sip } from '@platter/host/sip';
import { check, heldImage } from '@platter/host/tools/qemu-img';
import { canonicalTail } from '@platter/qcow2/canonical';
import { refcounts } from '@platter/qcow2/geometry';
import type { Digests } from './digests.ts';
import { type Finding, finding } from './finding.ts';
import { checking, ours } from './opening.ts';
import { badChunks, rotten } from './rot.ts';
import type { Link } from './stack.ts';

/** Every chunk of a file against its digest. */
async function chunks({ name, held }: Link, digests: Digests, workers: number): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const at of badChunks(sip(held, { workers }), digests)) found.push(rotten(name, at));
  return found;
}

/** What `qemu-img check` says; only for files that passed our own rules. Without the program nothing. */
export async function secondOpinion(host: Host, { name, held }: Link): Promise<Finding[]> {
  try {
    const { verdict, corruptions, leaks } = await check(host, heldImage(held, 'qcow2'));
    if (verdict === 'corrupt')
      return [finding('corrupt', ['check', name, `qemu-img check finds ${corruptions} corruptions`])];
    return verdict === 'leaks'
      ? [finding('noted', ['check', name, `qemu-img check finds ${leaks} leaked clusters`])]
      : [];
  } catch (error) {
    if (error instanceof Failure && error.kind === 'unsupported') return [];
    throw error;
  }
}

/** What `deep` checks beyond `fast` in one file by our own means: all its bytes where they have digests, and refcounts. */
export function deepFindings(link: Link, workers: number): Promise<Finding[]> {
  const { name, layer, digests } = link;
  return checking(name, async () => {
    const read = digests === null ? [] : await chunks(link, digests, workers);
    if (read.length > 0) return read;
    const counts = await refcounts(layer);
    if (digests !== null) return ours(name, [...counts.findings, ...(await canonicalTail(layer))]);
    return counts.findings.map(({ rule, verdict, at = null, message }) =>
      finding(verdict === 'corrupt' ? 'corrupt' : 'noted', [rule, name, message], { at }),
    );
  });
}

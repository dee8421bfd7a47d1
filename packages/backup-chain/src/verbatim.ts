import { chmod, copy, create, flush, pour, reflink, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, stat } from '@platter/host/looks';
import { sip } from '@platter/host/sip';
import { surveyed } from '@platter/qcow2/census';
import { digestAt } from './digest.ts';
import { DigestFile } from './digest-file.ts';
import type { DraftPlan, Finished } from './draft.ts';
import { clusterSize } from './layout.ts';
import { discard } from './publish.ts';
import { sharesExtents } from './sharing.ts';
import type { Link } from './stack.ts';

type Copying = Pick<DraftPlan, 'workers'> & {
  /** Told how far in the file it has come, in bytes. */
  report(done: number): void;
};

/** Where the copy grows; `root` lies on the same filesystem and is there in a dry run too. */
type Place = Pick<DraftPlan, 'data' | 'digests'> & { root: string };

/** Whether the file now shares its extents with a clone under the name that is given. */
async function cloned(host: Host, { held }: Link, { data: path, root }: Place): Promise<boolean> {
  const near = (await host.query(stat(root)))?.dev === held.dev;
  if (!near || !(await sharesExtents(host, root))) return false;
  try {
    await host.change(reflink(held.path, path));
  } catch (error) {
    if (!(error instanceof Failure && error.kind === 'unsupported')) throw error;
    await discard(host, path);
    return false;
  }
  await host.change(chmod(path, 0o444));
  await host.change(sync(path));
  return true;
}

/** A file to pour the copy into; a dry run shows the copy. */
async function copying(host: Host, { held }: Link, path: string): Promise<Held | null> {
  if (!host.dry) return grown(host, path);
  await host.change(copy(held.path, path));
  return null;
}

/** A new file to write into; null in a dry run. */
async function grown(host: Host, path: string): Promise<Held | null> {
  await host.change(create(path, '', 0o600));
  const held = host.dry ? null : await host.query(hold(path, { write: true }));
  await host.change(chmod(path, 0o444));
  return held;
}

interface Targets {
  /** Null where the bytes are there already. */
  data: Held | null;
  list: Held | null;
  digests: DigestFile;
}

/** Reads every chunk once: its digest goes to the list, its bytes to the copy where there is one to write. */
async function passOn(host: Host, { held }: Link, to: Targets & Copying): Promise<void> {
  for await (const { count, at, bytes, sha256 } of sip(held, { workers: to.workers })) {
    const start = at[0] as number;
    for (let n = 0; n < count; n += 1) to.digests.put(start / clusterSize + n, digestAt(sha256, n));
    const length = Math.min(count * clusterSize, held.size - start);
    const piece = { from: { bytes: bytes.subarray(0, length) }, at: start, length, sha256: null };
    if (to.data !== null) await host.change(pour(to.data, [piece], to.workers));
    if (to.list !== null) await to.digests.pour(to.list);
    to.report(start + length);
  }
  if (to.list !== null) await to.digests.pour(to.list, true);
  for (const held of [to.data, to.list]) if (held !== null) await host.change(flush(held));
}

/** SHA-256 of a finished list; in a dry run of what would be in it. */
async function digestOf(host: Host, path: string, list: DigestFile): Promise<string> {
  const written = host.dry ? null : await host.query(hold(path));
  try {
    return await list.sha256(written);
  } finally {
    written?.close();
  }
}

async function tally({ layer }: Link): Promise<Pick<Finished, 'dataClusters' | 'zeroClusters'>> {
  const { census } = await surveyed(layer);
  const clusters = (bytes: number) => Math.ceil(bytes / clusterSize);
  return { dataClusters: clusters(census.dataBytes), zeroClusters: clusters(census.zeroBytes) };
}

/** Copies a canonical file as it is, by sharing its extents where that works, and makes its digest list. */
export async function copyVerbatim(
  host: Host,
  link: Link,
  { workers, report, ...place }: Copying & Place,
): Promise<Finished> {
  const list = new DigestFile(host);
  const target = (await cloned(host, link, place)) ? null : await copying(host, link, place.data);
  const targets: Targets = { data: target, list: null, digests: list };
  try {
    targets.list = await grown(host, place.digests);
    await passOn(host, link, { ...targets, workers, report });
  } finally {
    targets.data?.close();
    targets.list?.close();
  }
  return { size: link.held.size, ...(await tally(link)), digestsSha256: await digestOf(host, place.digests, list) };
}

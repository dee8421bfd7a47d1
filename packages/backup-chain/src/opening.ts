import type { Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { canonicalHeader, stray } from '@platter/qcow2/canonical';
import { surveyed } from '@platter/qcow2/census';
import { type Finding as ImageFinding, type Policy, Refused } from '@platter/qcow2/finding';
import { NotQcow2 } from '@platter/qcow2/header';
import { openLayer } from '@platter/qcow2/open';
import { type ByteSource, ShortRead } from '@platter/qcow2/source';
import { ChunkCache, Damaged, Digests, sha256Of, verified } from './digests.ts';
import { type Finding, finding } from './finding.ts';
import type { Point } from './manifest-kinds.ts';
import type { DiskFacts } from './repository.ts';
import type { Link } from './stack.ts';

/** What opening a chain's files gave: those that could be opened, and what is wrong with any. */
export interface Opened {
  links: Link[];
  findings: Finding[];
  /** Bytes of tables and digest lists that were read so far. */
  bytesRead: number;
}

/** Any error met while a file of ours is read, as a finding about it; what is no damage is thrown on. */
export function damage(path: string, error: unknown): Finding[] {
  if (error instanceof Damaged)
    return [finding('corrupt', ['digest', path, 'its content is not what its digest says'], { at: error.at })];
  if (error instanceof ShortRead) return [finding('corrupt', ['Q3', path, 'it ends too early'], { at: error.at })];
  if (error instanceof NotQcow2) return [finding('corrupt', ['Q1', path, 'it is not a qcow2 image'])];
  if (error instanceof Refused)
    return error.findings.map(({ rule, at = null, message }) => finding('corrupt', [rule, path, message], { at }));
  if (error instanceof Failure && ['ENOENT', 'ELOOP'].includes(errno(error) ?? ''))
    return [finding('corrupt', ['C8', path, error.message])];
  throw error;
}

/** Runs a check; damage it meets is what it finds. */
export async function checking(path: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    return damage(path, error);
  }
}

/** C12's other half: whether a digest list is the one that was written. */
export async function digestFindings(path: string, list: ByteSource, point: Point): Promise<Finding[]> {
  if ((await sha256Of(list)) === point.digests.sha256) return [];
  return [finding('corrupt', ['digest', path, 'it is not the digest list that was written'])];
}

/** What an image's rules say of a file that is ours: anything but a check that was left out is damage. */
export function ours(path: string, findings: readonly ImageFinding[]): Finding[] {
  return findings.map(({ rule, verdict, at = null, message }) =>
    finding(rule === 'G5' && verdict === 'warn' ? 'noted' : 'corrupt', [rule, path, message], { at }),
  );
}

async function layerFindings({ name, layer }: Link, point: Point): Promise<Finding[]> {
  const { size } = layer.header;
  const wrong =
    size === point.virtualSize
      ? []
      : [finding('corrupt', ['Q7', name, `its size is ${size}, not ${point.virtualSize}`])];
  const { census, beyond } = await surveyed(layer);
  return [...wrong, ...ours(name, [...canonicalHeader(layer.header), ...stray(census, beyond), ...census.findings])];
}

interface Files {
  data: Held;
  list: Held;
}

/** Holds a point's two files; what was held is closed when the second cannot be. */
async function holdFiles(host: Host, data: string, list: string): Promise<Files> {
  const held = await host.query(hold(data));
  try {
    return { data: held, list: await host.query(hold(list)) };
  } catch (error) {
    held.close();
    throw error;
  }
}

/** A source that adds what is read through it to a count. */
const counted = (bytes: ByteSource, opened: Opened): ByteSource => ({
  size: bytes.size,
  read: (at, length) => {
    opened.bytesRead += length;
    return bytes.read(at, length);
  },
});

interface Opening {
  host: Host;
  disk: Pick<DiskFacts, 'paths'>;
  cache: ChunkCache;
}

async function openPoint({ host, disk, cache }: Opening, point: Point, opened: Opened): Promise<void> {
  const [data, list] = [`${disk.paths.data}/${point.data.file}`, `${disk.paths.data}/${point.digests.file}`];
  const policy: Policy = point.type === 'full' ? 'full' : 'increment';
  const found = await checking(data, async () => {
    const files = await holdFiles(host, data, list);
    const lists = counted(source(files.list), opened);
    const strange = await digestFindings(list, lists, point);
    if (strange.length > 0) return strange;
    const digests = new Digests(lists);
    const checked = verified({ source: counted(source(files.data), opened), digests, cache, key: point.data.file });
    const link: Link = { name: data, held: files.data, digests, layer: await openLayer(checked, policy) };
    opened.links.push(link);
    return layerFindings(link, point);
  });
  opened.findings.push(...found);
}

/**
 * Holds every file of a chain open, each read only through its digests, and checks what `fast` checks of a single
 * file: the digest list, header, tables and canonical form. Reads no data.
 */
export async function openChain(host: Host, disk: Pick<DiskFacts, 'paths'>, points: readonly Point[]): Promise<Opened> {
  const opening = { host, disk, cache: new ChunkCache() };
  const opened: Opened = { links: [], findings: [], bytesRead: 0 };
  for (const point of points) await openPoint(opening, point, opened);
  return opened;
}

import type { Call } from '@platter/command/call';
import { formatSize } from '@platter/units/size';
import { addressName } from './address.ts';
import { chainOf, dependents, setFindings, unreadable } from './chain.ts';
import { readable } from './chain-rules.ts';
import { deepFindings, secondOpinion } from './deep.ts';
import { type Finding, finding } from './finding.ts';
import { Flight } from './flight.ts';
import type { Point } from './manifest-kinds.ts';
import { damage, openChain } from './opening.ts';
import { contentsOf, Unread } from './proving.ts';
import { readReceipts, receiptFindings } from './receipts.ts';
import type { DiskFacts, VmFacts } from './repository.ts';
import { type Link, stackOf } from './stack.ts';
import { summarise } from './summary.ts';
import { vmAddress } from './telling.ts';
import { isClean } from './validation.ts';

export type Level = 'meta' | 'fast' | 'deep';

/** How thoroughly, and with how many threads. */
export interface Thoroughness {
  /** Whether each chain is also restored by both engines. */
  oracle?: boolean;
  level: Level;
  workers: number;
}

/** What a validation of one object came to. */
export interface Validated {
  name: string;
  findings: Finding[];
  links: number;
  bytesRead: number;
  story: string;
}

/** How many layers, in words. */
export const layers = (count: number): string => `${count} ${count === 1 ? 'layer' : 'layers'}`;

/** Composes the chain up to each point and compares what comes out with what was captured. */
async function proofs(
  points: readonly Point[],
  links: readonly Link[],
  wanted: ReadonlySet<string>,
): Promise<Finding[]> {
  try {
    const asked = points.map(({ id }) => wanted.has(id));
    const contents = await contentsOf(links, asked);
    const wrong = points.filter((point, n) => asked[n] && contents[n] !== point.contentSha256);
    return wrong.map(({ id }) => {
      const { name } = links[points.findIndex((point) => point.id === id)] as Link;
      return finding('corrupt', ['proof', name, `the chain up to ${id} does not compose to what was captured`]);
    });
  } catch (error) {
    if (error instanceof Unread) return damage(error.link.name, error.cause);
    throw error;
  }
}

/** So many files are with QEMU while we read the next. */
const opinionsAtOnce = 2;

/** What `deep` finds, file by file; `opinion`: QEMU is asked about each file in which we found nothing. */
/** What `deep` finds in the files of a chain, and how many bytes they have. */
export async function deep(
  call: Call<unknown>,
  links: readonly Link[],
  { workers, opinion }: { workers: number; opinion: boolean },
): Promise<{ findings: Finding[]; bytes: number }> {
  const total = links.reduce((sum, { held }) => sum + held.size, 0);
  const progress = call.progress('validate', total);
  const asking = new Flight(opinionsAtOnce);
  const found: Finding[][] = [];
  let bytes = 0;
  for (const [n, link] of links.entries()) {
    const own = await deepFindings(link, workers);
    found[n] = own;
    const ask = async () => void own.push(...(await secondOpinion(call.host, link)));
    if (opinion && isClean(own)) await asking.begin(ask);
    bytes += link.held.size;
    progress.update(bytes);
  }
  await asking.land();
  progress.end();
  return { findings: found.flat(), bytes };
}

/** What a chain composes to, in words. */
export async function told(links: readonly Link[]): Promise<string> {
  const stack = stackOf(links);
  const { dataBytes, zeroBytes } = await summarise(stack);
  return `disk ${formatSize(stack.virtualSize)}, data ${formatSize(dataBytes)}, zeroed ${formatSize(zeroBytes)}`;
}

/** Validates the chain of a point; `wanted` are the points in it whose content is proven. */
export async function validateChain(
  call: Call<unknown>,
  scene: { facts: VmFacts; disk: DiskFacts },
  { id, wanted, level, workers, oracle }: Thoroughness & { id: string; wanted: ReadonlySet<string> },
): Promise<Validated> {
  const { facts, disk } = scene;
  const name = addressName({ namespace: facts.namespace, vm: facts.vm, disk: disk.name, ref: id });
  const { links: points, findings } = chainOf(scene, id);
  const validated = { name, findings, links: points.length, bytesRead: 0, story: layers(points.length) };
  if (level === 'meta' || !isClean(findings)) return blamed(disk, validated);
  const opened = await openChain(call.host, disk, points);
  findings.push(...opened.findings);
  if (isClean(findings)) findings.push(...(await proofs(points, opened.links, wanted)));
  if (isClean(findings)) validated.story = `${layers(points.length)}, ${await told(opened.links)}`;
  if (level === 'deep') {
    const more = await deep(call, opened.links, { workers, opinion: isClean(findings) });
    findings.push(...more.findings);
    validated.bytesRead += more.bytes;
  }
  if (oracle && isClean(findings)) {
    const { trials } = await import('./oracle.ts');
    const asked = points.flatMap((point, n) => (wanted.has(point.id) ? [n] : []));
    findings.push(...(await trials(call, { links: opened.links, asked, workers })));
  }
  validated.bytesRead += opened.bytesRead;
  for (const { held } of opened.links) held.close();
  return blamed(disk, validated);
}

/** Names with each finding about a file the points that are lost with it. */
function blamed(disk: DiskFacts, validated: Validated): Validated {
  const owner = (object: string) =>
    readable(disk).find(({ data, digests }) => object.endsWith(`/${data.file}`) || object.endsWith(`/${digests.file}`));
  const findings = validated.findings.map((one) => {
    const point = one.code === 'noted' ? undefined : owner(one.object);
    return point === undefined ? one : { ...one, dependents: dependents(disk, point.id) };
  });
  return { ...validated, findings };
}

/** The newest point of each chain of a disk. */
function leaves(disk: DiskFacts): Point[] {
  const parents = new Set(readable(disk).map(({ parent }) => parent?.id));
  const ends = readable(disk).filter(({ id }) => !parents.has(id));
  return ends.length > 0 ? ends : readable(disk).slice(-1);
}

/** Validates every chain of a VM, every point in them, and the VM's sets. */
export async function validateVm(call: Call<unknown>, facts: VmFacts, how: Thoroughness): Promise<Validated[]> {
  const all: Validated[] = [];
  for (const disk of facts.disks)
    for (const { id } of leaves(disk)) {
      const wanted = new Set(readable(disk).map((one) => one.id));
      all.push(await validateChain(call, { facts, disk }, { ...how, id, wanted }));
    }
  const lost = unreadable([...facts.disks.flatMap(({ points }) => points), ...facts.pins]);
  const receipts = receiptFindings(await readReceipts(call.host, facts.paths));
  const findings = [...lost, ...receipts, ...facts.sets.flatMap((set) => setFindings(facts, set))];
  const story = `${facts.sets.length} ${facts.sets.length === 1 ? 'set' : 'sets'}`;
  return [...all, { name: vmAddress(facts), findings, links: 0, bytesRead: 0, story }];
}

import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { chainOf } from './chain.ts';
import { nameOf, type Scene } from './chain-rules.ts';
import { finding, refuse } from './finding.ts';
import { openLoose } from './loose.ts';
import type { Point } from './manifest-kinds.ts';
import { checking, openChain } from './opening.ts';
import { lockForReading } from './reading.ts';
import { type DiskFacts, openRepository, type VmFacts, wayOutOf } from './repository.ts';
import { type Found, pointsOf, resolve } from './resolving.ts';
import { rootOf } from './root.ts';
import { contentOf, type Stack, stackOf } from './stack.ts';
import { steadily } from './steadily.ts';
import { looseWish } from './telling.ts';

/** A chain to restore: open, and proven as far as it can be. */
export interface Source {
  /** Its address, or the last of its files. */
  name: string;
  disk: string | null;
  stack: Stack;
  /** Null of loose files. */
  point: Point | null;
  /** Folders and files that must not be overwritten. */
  places: string[];
}

/** The flags that say where a chain is taken from. */
export interface SourceFlags {
  repo: string | undefined;
  files: boolean;
  'ignore-backing': boolean;
  wait: number;
}

async function proof(stack: Stack, point: Point) {
  const name = stack.links.at(-1)?.name ?? point.id;
  const wrong = finding('corrupt', ['proof', name, 'the chain does not compose to what was captured']);
  return checking(name, async () => ((await contentOf(stack)) === point.contentSha256 ? [] : [wrong]));
}

async function openOnce(call: Call<unknown>, scene: Scene, id: string): Promise<Source> {
  const { facts, disk } = scene;
  const name = nameOf(scene, id);
  const { links, findings } = chainOf(scene, id);
  const what = `${name} is damaged`;
  const wayOut = wayOutOf(disk, links);
  refuse(findings, what, wayOut);
  const opened = await openChain(call.host, disk, links);
  refuse(opened.findings, what, wayOut);
  const stack = stackOf(opened.links);
  const point = links.at(-1) as Point;
  refuse(await proof(stack, point), what, wayOut);
  return { name, disk: disk.name, stack, point, places: [facts.repo.root] };
}

/** The disk of a scene in later facts; 3 when the point was merged or dropped meanwhile. */
function later(scene: Scene, facts: VmFacts, id: string): Scene {
  const disk = facts.disks.find(({ name }) => name === scene.disk.name);
  if (disk?.points.some(({ name }) => name.slice(7) === `${id}.json`)) return { facts, disk };
  throw new Failure('refused', `there is no ${nameOf(scene, id)} any more`);
}

/** Opens a point's chain and proves it as `fast` does; 5 when anything is wrong with it. */
export function openPoint(
  call: Call<unknown>,
  facts: VmFacts,
  { disk, id }: { disk: DiskFacts; id: string },
): Promise<Source> {
  const scene: Scene = { facts, disk };
  const at = (now: VmFacts) => openOnce(call, now === facts ? scene : later(scene, now, id), id);
  return steadily(call.host, { facts, at });
}

async function openLooseSource(call: Call<SourceFlags>): Promise<Source> {
  const wish = looseWish(call);
  const { links, findings } = await openLoose(call.host, wish);
  refuse(findings, 'these files cannot be restored');
  call.note('order and completeness are taken from you: no manifest names these files');
  return { name: wish.files.at(-1) ?? '', disk: null, stack: stackOf(links), point: null, places: [...wish.files] };
}

function chosen(found: Found, disk: string | undefined) {
  const points = pointsOf(found).filter((one) => disk === undefined || one.disk.name === disk);
  if (points.length > 0) return points;
  throw new Failure('refused', `the set has no disk ${disk}`, {
    details: {
      'there are': pointsOf(found)
        .map((one) => one.disk.name)
        .join(', '),
    },
  });
}

/** Opens and proves the chains of what an address means, under the VM's shared lock. */
export async function openFound(call: Call<{ wait: number }>, found: Found, disk?: string): Promise<Source[]> {
  await lockForReading(call, found.facts.paths, call.flags.wait);
  const sources: Source[] = [];
  for (const one of chosen(found, disk)) sources.push(await openPoint(call, found.facts, one));
  return sources;
}

/** The chains that a verb's words mean: of one address, of a set's disks (or one of them), or of loose files. */
export async function openSources(
  call: Call<SourceFlags>,
  disk?: string,
): Promise<{ sources: Source[]; isSet: boolean }> {
  if (call.flags.files) return { sources: [await openLooseSource(call)], isSet: false };
  const [word, ...more] = call.words;
  if (word === undefined || more.length > 0) throw new Failure('usage', 'one address, or --files and files');
  const found = await resolve(call.host, await openRepository(call.host, rootOf(call)), word);
  return { sources: await openFound(call, found, disk), isSet: found.kind === 'set' };
}

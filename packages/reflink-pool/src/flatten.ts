import { chmod, link, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { hold, run, space } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { extentsOf } from '@platter/host/tools/filefrag';
import { formatSize } from '@platter/units/size';
import { withImage } from './facts.ts';
import { flat, fragOf } from './frag.ts';
import { refuseImporting } from './importing.ts';
import { locked } from './lock.ts';
import { around, mustExist } from './machine.ts';
import { isTwin } from './naming.ts';
import type { Pool } from './pool.ts';
import type { FragRecord } from './records/space.ts';
import type { ImageFacts } from './sidecar.ts';
import { built, copied, put, replaceHead } from './steps.ts';
import { heldBy } from './stopping.ts';
import { stopwatch } from './stopwatch.ts';
import { type Image, imageFacts, pathOf, type Revision, type Volume } from './volume.ts';

/** Gives a stopped volume a head that lies in one piece: a full copy with the same bytes and times. No revision comes or goes. */
export const flatten = (pool: Pool, name: string): Promise<FragRecord> =>
  locked(pool, name, async (found) => {
    const volume = await mustExist(pool, found);
    const head = await headOf(pool, volume);
    const state = { ref: `${name}@head`, image: head };
    const before = await fragOf(pool, volume, state);
    const ms = stopwatch();
    const done = await isFlat(pool, head, before.mappings);
    if (!done) await refuseSpace(pool, volume, head);
    const now = done ? head : await replaced(pool, volume, head);
    await renamed(pool, volume, { head: now, names: done ? await leftBehind(pool, volume, head) : twins(volume) });
    const after = pool.host.dry ? before : await fragOf(pool, volume, { ...state, image: now });
    return { ...after, outcome: done ? 'already' : 'flattened', before: before.mappings, ms: ms() };
  });

/** The head, of a volume that nothing is being done to. */
async function headOf(pool: Pool, volume: Volume): Promise<Image> {
  const { name, file, work, head } = volume;
  const refused = (why: string, hint: string) => new Failure('refused', `will not flatten ${name}: ${why}`, { hint });
  if (file.volumeKind !== 'saved') throw refused(`it is ${file.volumeKind}`, 'flatten its source');
  refuseImporting(volume, 'flatten');
  if (work !== null) {
    const { holders } = await around(pool, volume, true);
    if (holders.length > 0) throw heldBy(name, 'flatten', holders);
    throw refused('it is started', `reflink-pool stop ${name}`);
  }
  if (head === null) throw refused('it has no head', `reflink-pool revert ${name}@latest`);
  return head;
}

/** Whether a copy could not lie better: few mappings, or none that goes on where another ends. */
async function isFlat({ host }: Pool, { path }: Image, mappings: number): Promise<boolean> {
  if (mappings <= flat) return true;
  const held = await host.query(hold(path));
  try {
    return !(await extentsOf(host, held)).isSplit();
  } finally {
    held.close();
  }
}

async function refuseSpace({ host, path, settings }: Pool, { name }: Volume, { allocated }: Image): Promise<void> {
  const need = Math.ceil(allocated * 1.1) + settings.reserveBytes;
  const { free } = await host.query(space(path));
  if (free >= need) return;
  throw new Failure('refused', `will not flatten ${name}: a full copy needs more space than is free`, {
    details: { need: formatSize(need), have: formatSize(free) },
    hint: `reflink-pool prune --policy free=${formatSize(need).replaceAll(/ |iB/g, '')}`,
  });
}

/** Puts a full copy in the head's place, what is noted about the image with it. The head as it is then. */
function replaced(pool: Pool, volume: Volume, head: Image): Promise<Image> {
  const { host } = pool;
  const path = pathOf(volume, 'head');
  const why = `${volume.name} in one piece`;
  return built(pool, path, async (temp) => {
    const made = await copied(pool, temp, { from: head, how: 'copy', why });
    if (!host.dry && !(await sameBytes(pool, head, { ...head, path: temp })))
      throw new Failure('failed', `the copy of ${head.path} did not come out the same`);
    await host.change(chmod(temp, 0o400));
    await host.change(sync(temp));
    const image = { ...head, ...made, path };
    const known = imageFacts(volume, head);
    if (known !== null) await put(pool, volume, { images: carried(volume, image, known), why: 'the same bytes' });
    await replaceHead(pool, volume, { path: temp, image: made && image, why });
    return image;
  });
}

const carried = (volume: Volume, image: Image, { sha256, consistency }: ImageFacts) =>
  withImage(volume, image, { sha256, consistency });

async function sameBytes({ host }: Pool, a: Image, b: Image): Promise<boolean> {
  const program = run('cmp', ['-s', '--', a.path, b.path], { timeout: 24 * 3_600_000 });
  return must(program, await host.query(program), [0, 1]).code === 0;
}

/** Whether a name may come to mean another inode: a pin is on this very one. */
const isFree = ({ facts }: Revision) => (facts?.pins ?? []).length === 0;

const twins = (volume: Volume) => volume.revisions.filter((one) => isTwin(volume, one) && isFree(one));

/** Names of the head's state that an interrupted flatten left on the old image: same size, same time, same bytes. */
async function leftBehind(pool: Pool, volume: Volume, head: Image): Promise<Revision[]> {
  const alike = (one: Revision) => one.size === head.size && one.mtimeNs === head.mtimeNs && !isTwin(volume, one);
  const left: Revision[] = [];
  for (const one of volume.revisions.filter(alike))
    if (isFree(one) && (await sameBytes(pool, head, one))) left.push(one);
  return left;
}

/** The names of the head's state stay its names: each is replaced by a link to the new image. */
async function renamed(pool: Pool, volume: Volume, { head, names }: { head: Image; names: readonly Revision[] }) {
  for (const { path, number } of names)
    await built(pool, path, async (temp) => {
      await pool.host.change(because(link(head.path, temp), `${volume.name}@${number} is the head's state, as before`));
      await pool.host.change(rename(temp, path));
    });
  if (names.length > 0) await pool.host.change(sync(volume.dir));
}

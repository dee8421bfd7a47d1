import type { Call } from '@platter/command/call';
import { create, truncate } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import { hold, stat } from '@platter/host/looks';
import { examine } from './examining.ts';
import { refuse } from './finding.ts';
import type { CheckedFilesystem, Receipt } from './manifest-kinds.ts';
import { damage } from './opening.ts';
import { refuseWithoutFuse, withOverlay } from './overlay.ts';
import { refuseFull } from './raw-file.ts';
import { writeTarget } from './restoring.ts';
import { inScratch, scratchNames } from './scratch.ts';
import type { Source } from './sources.ts';
import { contentOf, type Link } from './stack.ts';
import { summarise } from './summary.ts';
import { targetContent } from './verifying.ts';

/** How a point is proven, as it was said. */
export interface DrillWish {
  via: Receipt['via'];
  fsck: 'auto' | 'none' | 'require';
  /** The folder for scratch files. */
  into: string;
  workers: number;
}

/** What was seen of a chain: the digest of its content, how much was read for that, and its filesystems. */
export interface Evidence {
  found: string;
  bytes: number;
  filesystems: CheckedFilesystem[];
}

/** A file whose data is read, whatever its list of digests says; damage is told by its name. */
function bare(link: Link): Link {
  const { source } = link.layer;
  const read = async (at: number, length: number) => {
    try {
      return await source.read(at, length);
    } catch (error) {
      refuse(damage(link.name, error), `${link.name} is damaged`);
      throw error;
    }
  };
  return { ...link, digests: null, layer: { ...link.layer, source: { size: source.size, read } } };
}

/** The content digest by reading every byte of data that the guest sees. */
const readContent = ({ stack }: Source): Promise<string> => contentOf({ ...stack, links: stack.links.map(bare) });

const dataBytes = async ({ stack }: Source): Promise<number> => (await summarise(stack)).dataBytes;

async function refuseNoFolder({ host }: Call<unknown>, path: string): Promise<void> {
  if ((await host.query(stat(path)))?.kind !== 'dir')
    throw new Failure('refused', `${path} is no directory`, { hint: '--into DIR' });
}

const placeOf = ({ point }: Source, { into }: DrillWish) =>
  ({ parent: into, for: 'drill', id: point?.id ?? 'loose' }) as const;

/** Restores to a sparse file, reads that back past the page cache, and then lets checkers write on it. */
async function byScratch(call: Call<unknown>, source: Source, wish: DrillWish): Promise<Evidence> {
  const { host } = call;
  const { stack, name } = source;
  const { workers } = wish;
  const bytes = await dataBytes(source);
  await refuseFull(call, `${wish.into}/${scratchNames.disk}`, bytes);
  return inScratch(call, placeOf(source, wish), async (folder) => {
    const path = `${folder}/${scratchNames.disk}`;
    await host.change(create(path, '', 0o600));
    await host.change(truncate(path, stack.virtualSize));
    const target = await host.query(hold(path, { write: true, direct: true }));
    try {
      const manner = { delta: false, keepTail: false, workers };
      await writeTarget({ call, stack, target, manner, label: `drill ${name}` });
      const found = await targetContent({ target, virtualSize: stack.virtualSize, workers });
      const disk = { folder, file: scratchNames.disk, stack, workers };
      return { found, bytes, filesystems: wish.fsck === 'none' ? [] : await examine(host, disk) };
    } finally {
      target.close();
    }
  });
}

/** Reads the content where it lies, and shows checkers the chain through an overlay of nothing. */
async function byOverlay(call: Call<unknown>, source: Source, wish: DrillWish): Promise<Evidence> {
  const { host } = call;
  const { stack } = source;
  await refuseWithoutFuse(host);
  const content = { found: await readContent(source), bytes: await dataBytes(source) };
  if (wish.fsck === 'none') return { ...content, filesystems: [] };
  const filesystems = await inScratch(call, placeOf(source, wish), (folder) =>
    withOverlay(host, { folder, stack }, () =>
      examine(host, { folder, file: scratchNames.export, stack, workers: wish.workers }),
    ),
  );
  return { ...content, filesystems };
}

/** Looks at a chain as it was said; 5 when its data is not what it was. Everything made for it is gone afterwards. */
export async function evidenceOf(call: Call<unknown>, source: Source, wish: DrillWish): Promise<Evidence> {
  if (wish.via === 'read') return { found: await readContent(source), bytes: await dataBytes(source), filesystems: [] };
  await refuseNoFolder(call, wish.into);
  return wish.via === 'scratch' ? byScratch(call, source, wish) : byOverlay(call, source, wish);
}

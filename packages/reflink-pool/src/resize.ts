import { chmod, sync, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { about } from './about.ts';
import { locked } from './lock.ts';
import { around, mustExist } from './machine.ts';
import { historyOff } from './policy.ts';
import type { Pool } from './pool.ts';
import { cloneLimit } from './prediction.ts';
import { policyOf } from './prune.ts';
import type { ResizeRecord } from './records/copy.ts';
import { type Refreshed, refreshLoops } from './refresh.ts';
import { decideResize, type ResizeWish } from './resizing.ts';
import { built, copied, put, replaceHead, saveHead } from './steps.ts';
import { type Image, pathOf, type Volume } from './volume.ts';

/** How a resize ended: its record, and of each loop device that does not show the size yet why. */
export interface Resized {
  record: ResizeRecord;
  behind: Refreshed[];
}

/** Gives a volume another size under its lock. A disk that is in use only grows; its loop devices are told. */
export function resize(pool: Pool, name: string, wish: ResizeWish): Promise<Resized> {
  return locked(pool, name, async (found) => {
    const volume = await mustExist(pool, found);
    const { does, from } = decideResize(volume, await around(pool, volume, false), wish);
    const { size } = wish;
    const told = { ...about('Resize', name), from, to: size, savedAs: null, loops: [] };
    if (does === 'grow') return grown(pool, volume, told);
    if (from === size) return { record: told, behind: [] };
    if (does === 'replace') return { record: { ...told, savedAs: await replaced(pool, volume, size) }, behind: [] };
    await put(pool, volume, { size, why: `${name} is so large from its next start on` });
    return { record: told, behind: [] };
  });
}

/** The working copy has the size at once; who has it open must look again. */
async function grown(pool: Pool, volume: Volume, told: ResizeRecord): Promise<Resized> {
  const { from, to, volume: name } = told;
  const work = volume.work as Image;
  if (from !== to) await pool.host.change(because(truncate(work.path, to), `${name} grows while it is started`));
  const loops = await refreshLoops(pool.host, work, to);
  if (from !== to && loops.length === 0) pool.call.note(`QEMU sees the size after: block_resize DRIVE ${to}B`);
  const seen = loops.map(({ name, refreshed }) => ({ name, refreshed }));
  return { record: { ...told, loops: seen }, behind: loops.filter(({ refreshed }) => !refreshed) };
}

/** A clone of the head gets the size and takes its place; the number of the state before. What is cut off is always kept. */
async function replaced(pool: Pool, volume: Volume, size: number): Promise<number | null> {
  const { host } = pool;
  const [from, path] = [volume.head as Image, pathOf(volume, 'head')];
  const keep = size < from.size || !historyOff(policyOf(pool, volume));
  const limit = await cloneLimit(pool, from, pool.settings.backend);
  return built(pool, path, async (temp) => {
    await copied(pool, temp, { from, why: 'the bytes of the head', ...limit });
    await host.change(chmod(temp, 0o600));
    await host.change(truncate(temp, size));
    await host.change(because(chmod(temp, 0o400), 'committed images are written by nobody'));
    await host.change(sync(temp));
    const savedAs = keep ? await saveHead(pool, volume) : null;
    await replaceHead(pool, volume, { path: temp, image: null, why: `${volume.name} has another size` });
    return savedAs;
  });
}

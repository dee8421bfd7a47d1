import { because, type Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run, text } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import type { Loop } from '@platter/host/tools/losetup';
import { loopsOver, type Serving } from './loops.ts';
import { baseName } from './processes.ts';
import type { Image } from './volume.ts';

/** A loop device, and whether it shows the size of its file; why it does not. */
export interface Refreshed {
  name: string;
  refreshed: boolean;
  why: string;
}

/** Makes the loop devices over an image show its size in bytes; those that do are left alone. */
export async function refreshLoops(host: Host, image: Image, size: number): Promise<Refreshed[]> {
  const found: Refreshed[] = [];
  for (const serving of await loopsOver(host, image)) found.push(await refresh(host, serving, size));
  return found;
}

async function refresh(host: Host, { name, loop }: Serving, size: number): Promise<Refreshed> {
  if (loop === null) return { name, refreshed: false, why: 'there is no such device node here' };
  const program = run('losetup', ['-c', name]);
  try {
    if (!(await shows(host, loop, size)))
      must(program, await host.change(because(program, 'it is over this very file')));
    return { name, refreshed: true, why: '' };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { name, refreshed: false, why: [error.message, error.details.said].filter(Boolean).join(': ') };
  }
}

/** Whether a loop has the sectors of 512 bytes that a file of this size gives it. */
async function shows(host: Host, { name, offset, sizeLimit }: Loop, size: number): Promise<boolean> {
  const sectors = await host.query(text(`/sys/block/${baseName(name)}/size`));
  const room = Math.max(0, size - offset);
  return Number(sectors) === Math.floor((sizeLimit > 0 ? Math.min(room, sizeLimit) : room) / 512);
}

import type { Host } from '@platter/host/door';
import type { ExtentTable } from '@platter/host/extents';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import type { Extent } from '@platter/qcow2/extents';
import type { Guest } from '@platter/qcow2/guest';

/** The guest of a raw file that nobody writes, with its holes known, so that they need not be read. */
export async function withHoles(host: Host, held: Held, guest: Guest): Promise<Guest> {
  const table = held.kind === 'file' ? await mapOf(host, held) : null;
  return table === null ? guest : { ...guest, extents: () => dataOf(table, guest.size) };
}

/** Null where the filesystem does not tell: then everything is read, which is slower and as right. */
async function mapOf(host: Host, held: Held): Promise<ExtentTable | null> {
  const { extentsOf } = await import('@platter/host/tools/filefrag');
  return extentsOf(host, held).catch((error) => {
    if (error instanceof Failure) return null;
    throw error;
  });
}

async function* dataOf(table: ExtentTable, size: number): AsyncGenerator<Extent> {
  for (let index = 0; index < table.count; index += 1) {
    const { at, length, kind } = table.at(index);
    const inside = Math.min(length, size - at);
    if (kind !== 'zero' && inside > 0) yield { at, length: inside, kind: 'data', host: at, hostLength: inside };
  }
}

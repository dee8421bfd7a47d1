import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writer } from '@platter/qcow2/writer';
import { cluster, stamp } from '../test/model.ts';

const clusters = 64;
/** The size of the disk of a loose chain. */
export const looseSize = clusters * cluster;

/** A canonical file of some clusters, each stamped with the number of its layer. */
function layer(n: number, written: readonly number[]): Uint8Array {
  const writer = new Writer({ virtualSize: looseSize, type: n === 0 ? 'full' : 'incremental' });
  const blocks = written.map((one) => ({ at: writer.place(one), bytes: stamp(one, n) }));
  blocks.push(...writer.finish());
  const file = new Uint8Array(Math.max(...blocks.map(({ at, bytes }) => at + bytes.length)));
  for (const { at, bytes } of blocks) file.set(bytes, at);
  return file;
}

/** Files of a chain, oldest first, of which each overwrites one cluster of the full; and what the disk holds. */
export function looseChain(folder: string, links: number): { files: string[]; bytes: Uint8Array } {
  const bytes = new Uint8Array(looseSize);
  const files = Array.from({ length: links }, (_, n) => {
    const written = n === 0 ? Array.from({ length: clusters }, (_none, one) => one) : [(n * 7) % clusters];
    for (const one of written) bytes.set(stamp(one, n), one * cluster);
    const path = join(folder, `${n}.qcow2`);
    writeFileSync(path, layer(n, written));
    return path;
  });
  return { files, bytes };
}

import { Writer } from './writer.ts';

/** A canonical image of this many guest bytes that holds nothing: all of it is what lies below, or zero. */
export function emptyImage(virtualSize: number): Uint8Array {
  const blocks = [...new Writer({ virtualSize, type: 'incremental' }).finish()];
  const image = new Uint8Array(Math.max(...blocks.map(({ at, bytes }) => at + bytes.length)));
  for (const { at, bytes } of blocks) image.set(bytes, at);
  return image;
}

import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { succeed } from '../ground/run.ts';

const mebibyte = 2 ** 20;

function written(path: string, flags: 'w' | 'r+', fill: (fd: number) => void): void {
  const fd = openSync(path, flags);
  try {
    fill(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A raw image of `size` bytes that holds exactly so many mappings of 4 KiB, each between two holes of 8 KiB, from its start. */
export function fragmented(path: string, size: number, mappings: number): void {
  const block = Buffer.alloc(4096, 1);
  written(path, 'w', (fd) => {
    ftruncateSync(fd, size);
    for (let at = 0; at < mappings; at++) writeSync(fd, block, 0, block.length, at * 3 * block.length);
  });
}

/** A raw image of `size` bytes whose first `data` bytes are random; both are multiples of 1 MiB. */
export function random(path: string, size: number, data: number): void {
  const piece = Buffer.alloc(mebibyte);
  written(path, 'w', (fd) => {
    ftruncateSync(fd, size);
    for (let at = 0; at < data; at += mebibyte) writeSync(fd, randomFillSync(piece), 0, mebibyte, at);
  });
}

/**
 * Writes random bytes to `count` clusters of 64 KiB, evenly spread over the first `span` bytes of a file and shifted by
 * `shift` clusters; gives their offsets.
 */
export function scatter(path: string, count: number, { span, shift = 0 }: { span: number; shift?: number }): number[] {
  const cluster = Buffer.alloc(65_536);
  const [total, step] = [span / cluster.length, Math.floor(span / cluster.length / count)];
  const places = Array.from({ length: count }, (_, i) => ((i * step + shift) % total) * cluster.length);
  written(path, 'r+', (fd) => {
    for (const at of places) writeSync(fd, randomFillSync(cluster), 0, cluster.length, at);
  });
  return places;
}

/** Waits until a mounted filesystem has nothing left to do: XFS frees blocks in the background, a freeze ends that. */
export async function settle(mount: string): Promise<void> {
  for (const how of ['-f', '-u']) await succeed(['fsfreeze', how, mount]);
}

/** Frees the name of a file without freeing its blocks, which XFS does in the background of what is timed next; flushed. */
export async function aside(path: string): Promise<void> {
  if (existsSync(path)) renameSync(path, `${path}-${performance.now()}`);
  await succeed(['sync', '-f', '--', dirname(path)]);
}

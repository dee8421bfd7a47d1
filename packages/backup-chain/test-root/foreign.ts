import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** One change of a disk: a value over a range, written plainly or compressed, or zeros. */
export interface Op {
  op: 'write' | 'pack' | 'zero';
  at: number;
  length: number;
  value: number;
}

/** One file of a chain: how the image is made, the disk's size, and what changed since the file before. */
export interface Layer {
  options?: string;
  size: number;
  ops: readonly Op[];
}

export const write = (at: number, length: number, value: number): Op => ({ op: 'write', at, length, value });
export const pack = (at: number, length: number, value: number): Op => ({ op: 'pack', at, length, value });
export const zero = (at: number, length: number): Op => ({ op: 'zero', at, length, value: 0 });

const words: Record<Op['op'], (value: number) => string> = {
  write: (value) => `write -P ${value}`,
  pack: (value) => `write -c -P ${value}`,
  zero: () => 'write -z',
};

const img = (...args: string[]) => execFileSync('qemu-img', args, { stdio: 'pipe' });

/** What the disk holds after each layer. */
export function statesOf(layers: readonly Layer[]): Uint8Array[] {
  let now = new Uint8Array(0);
  return layers.map(({ size, ops }) => {
    const next = new Uint8Array(size);
    next.set(now.subarray(0, size));
    for (const { at, length, value } of ops) next.fill(value, at, at + length);
    now = next;
    return next.slice();
  });
}

/**
 * Makes images as a backup job of QEMU leaves them: each holds what changed since the one before, zeros included, and
 * names none. Gives the files, oldest first, and what the disk held at each moment.
 */
export function makeChain(files: readonly string[], layers: readonly Layer[]): Uint8Array[] {
  for (const [n, { options = 'compat=1.1', size, ops }] of layers.entries()) {
    const file = files[n] as string;
    mkdirSync(join(file, '..'), { recursive: true });
    const below = n === 0 ? [] : ['-b', files[n - 1] as string, '-F', 'qcow2'];
    img('create', '-q', '-f', 'qcow2', '-o', options, ...below, file, String(size));
    const commands = ops.flatMap(({ op, at, length, value }) => ['-c', `${words[op](value)} ${at} ${length}`]);
    if (commands.length > 0) execFileSync('qemu-io', ['-f', 'qcow2', ...commands, file], { stdio: 'pipe' });
  }
  for (const file of files.slice(1).reverse()) img('rebase', '-u', '-f', 'qcow2', '-b', '', file);
  return statesOf(layers);
}

const KiB = 1024;
/** A full and two increments of a disk of 2 MiB, canonical as they are; `value` makes them of one disk and no other. */
export const pushed = (value: number): Layer[] => [
  { size: 2048 * KiB, ops: [write(0, 512 * KiB, value), write(1024 * KiB, 128 * KiB, value + 1)] },
  { size: 2048 * KiB, ops: [write(64 * KiB, 64 * KiB, value + 2), zero(256 * KiB, 128 * KiB)] },
  { size: 2048 * KiB, ops: [zero(0, 64 * KiB), write(1024 * KiB, 64 * KiB, value + 3)] },
];

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../ground/folder.ts';
import { power } from '../vm/power.ts';
import { flushed } from '../vm/write-log.ts';

/** A log of a disk as QEMU writes it; an entry is where it wrote (in sectors), what (a letter for each sector), and its flags. */
function logOf(...entries: [at: number, letters: string, flags: number][]): Buffer {
  const sector = (...numbers: bigint[]) => {
    const bytes = Buffer.alloc(512);
    for (const [i, number] of numbers.entries()) bytes.writeBigUInt64LE(number, i * 8);
    return bytes;
  };
  const told = entries.flatMap(([at, letters, flags]) => [
    sector(BigInt(at), BigInt(letters.length), BigInt(flags)),
    ...[...letters].map((letter) => Buffer.alloc(512, letter)),
  ]);
  return Buffer.concat([
    sector(0x6a736677736872n, 1n, BigInt(entries.length), 512n),
    ...told,
    Buffer.alloc(512, 'rest'),
  ]);
}

it('what a power cut leaves: the writes before each flush', () => {
  const log = logOf([8, 'ab', 0], [2, 'c', 0], [0, '', 1], [0, '', 1], [2, 'd', 3], [9, 'e', 0]);
  const groups = flushed(log).map((group) =>
    group.map(({ at, data }) => [at / 512, data.length / 512, data.toString('latin1', 0, 1)]),
  );
  expect(groups).toEqual([
    [
      [8, 2, 'a'],
      [2, 1, 'c'],
    ],
    [[2, 1, 'd']],
  ]);
  expect(() => flushed(logOf([0, '', 4]))).toThrow('discarded at 0');
  expect(() => flushed(Buffer.alloc(512))).toThrow('not a log');
});

it('a power that goes takes along what runs on it', async () => {
  const on = power();
  const ended = on.run(['sleep', '60']);
  await on[Symbol.asyncDispose]();
  expect(await ended).toMatchObject({ code: null, signal: 'SIGKILL' });
});

it('a server is there with its socket, and its words are told when it ends before', async () => {
  await using folder = await tempFolder();
  await using on = power();
  const socket = join(folder.path, 'socket');
  await expect(on.serve(['sh', '-c', 'echo why >&2; exit 1'], socket)).rejects.toThrow(/why\n\(exit 1\)/);
  await writeFile(socket, '');
  await on.serve(['sleep', '60'], socket);
});

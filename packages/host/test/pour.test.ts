import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Held, hold } from '../src/hold.ts';
import { type Piece, pour } from '../src/pour.ts';
import { jobsOf } from '../src/runs.ts';
import { sip } from '../src/sip.ts';

const K64 = 65_536;
const content = Buffer.alloc(5 * 1024 * 1024);
for (let at = 0; at < content.length; at += 4) content.writeUInt32BE(at, at);

let dir: string;
let from: Held;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'platter-pour-'));
  writeFileSync(join(dir, 'from'), content);
  from = hold(join(dir, 'from'));
});
afterAll(() => {
  from.close();
  rmSync(dir, { recursive: true });
});

function target(size: number, options = {}): Held & { bytes(): Buffer } {
  const path = join(dir, `to-${Math.random()}`);
  writeFileSync(path, Buffer.alloc(size, 0xee));
  return Object.assign(Object.create(hold(path, { write: true, ...options })), { bytes: () => readFileSync(path) });
}

/** SHA-256 of every 64 KiB, the last zero-padded. */
function digests(bytes: Uint8Array): Uint8Array {
  const clusters = Array.from({ length: Math.ceil(bytes.length / K64) }, (_, n) => {
    const cluster = Buffer.alloc(K64);
    cluster.set(bytes.subarray(n * K64, (n + 1) * K64));
    return createHash('sha256').update(cluster).digest();
  });
  return new Uint8Array(Buffer.concat(clusters));
}

const piece = (at: number, length: number, to = at): Piece => ({
  from: { held: from, at },
  at: to,
  length,
  sha256: digests(content.subarray(at, at + Math.ceil(length / K64) * K64)),
});

it.each([true, false])('writes pieces of a file, of memory and zeros to their places (direct: %s)', async (direct) => {
  const to = target(content.length, { direct });
  await pour(to, [
    piece(0, 3 * 1024 * 1024, 1024 * 1024),
    { from: { bytes: Buffer.alloc(K64, 5) }, at: 0, length: K64, sha256: digests(Buffer.alloc(K64, 5)) },
    { from: 'zeros', at: 2 * K64, length: 3 * K64, sha256: null },
  ]);
  const expected = Buffer.alloc(content.length, 0xee);
  content.copy(expected, 1024 * 1024, 0, 3 * 1024 * 1024);
  expected.fill(5, 0, K64).fill(0, 2 * K64, 5 * K64);
  expect(to.bytes().equals(expected)).toBe(true);
  to.close();
});

it('checks whole clusters also where only their beginning is written', async () => {
  const to = target(4 * K64);
  await pour(to, [piece(K64, K64 + 512), { from: 'zeros', at: 2 * K64 + 512, length: K64 - 512, sha256: null }]);
  const expected = Buffer.alloc(4 * K64, 0xee);
  content.copy(expected, K64, K64, 2 * K64 + 512);
  expected.fill(0, 2 * K64 + 512, 3 * K64);
  expect(to.bytes().equals(expected)).toBe(true);
  to.close();
});

it('writes nothing of a piece whose digest differs, nor anything after it', async () => {
  const to = target(content.length);
  const bad = piece(2 * K64, 4 * K64);
  bad.sha256?.fill(0, 96, 128);
  const failing = pour(to, [bad, piece(3 * 1024 * 1024, K64)], 1);
  await expect(failing).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(`${from.path} at offset ${5 * K64}`),
  });
  expect(to.bytes().every((byte) => byte === 0xee)).toBe(true);
  to.close();
});

it('issues nothing more after an error, in any worker', async () => {
  const to = target(128 * K64 * 16);
  const bad: Piece = { from: 'zeros', at: 0, length: K64, sha256: new Uint8Array(32) };
  const after: Piece = { from: 'zeros', at: K64, length: 127 * K64 * 16, sha256: null };
  await expect(pour(to, [bad, after], 2)).rejects.toMatchObject({ kind: 'corrupt' });
  expect(to.bytes().at(-64 * K64)).toBe(0xee);
  to.close();
});

it('says corrupt when the source ends early', async () => {
  const path = join(dir, 'cut');
  writeFileSync(path, content.subarray(0, 3 * K64));
  const held = hold(path);
  truncateSync(path, K64 + 5);
  const to = target(4 * K64);
  await expect(pour(to, [{ from: { held, at: 0 }, at: 0, length: 3 * K64, sha256: null }])).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(`offset ${K64 + 5}`),
  });
  held.close();
  to.close();
});

it('says failed, with the target and the offset, when it cannot write', async () => {
  await expect(pour(from, [piece(0, K64, 4096)])).rejects.toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(/could not write .*from at offset 4096: EBADF/),
    cause: { code: 'EBADF' },
  });
});

it('takes slabs as they are', async () => {
  const to = target(content.length, { direct: true });
  for await (const slab of sip(from))
    await pour(to, [{ from: { bytes: slab.bytes }, at: 0, length: slab.bytes.length, sha256: slab.sha256 }]);
  expect(to.bytes().equals(content)).toBe(true);
  to.close();
});

it('law: the jobs hold every byte of the pieces once, in runs of at most 2 MiB', () => {
  const lengths = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 80 })), { maxLength: 40 });
  fc.assert(
    fc.property(lengths, (spans) => {
      let at = 0;
      const pieces = spans.map(([gap, clusters]): Piece => {
        const start = gap ? at + K64 : at;
        at = start + clusters * K64;
        return { from: 'zeros', at: start, length: clusters * K64, sha256: null };
      });
      const runs = [...jobsOf(pieces)].flat();
      for (const run of runs)
        expect(run.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(2 * 1024 * 1024);
      const clustersOf = (list: Piece[]) =>
        list.flatMap((one) => Array.from({ length: one.length / K64 }, (_, n) => one.at + n * K64));
      expect(clustersOf(runs.flat())).toEqual(clustersOf(pieces));
    }),
  );
});

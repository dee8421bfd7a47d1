import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hold } from '../src/hold.ts';
import { type SipOptions, sip } from '../src/sip.ts';
import { slabsOf } from '../src/slabs.ts';

const K64 = 65_536;
let dir: string;
let path: string;
const content = Buffer.alloc(20 * 1024 * 1024 + 512);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'platter-sip-'));
  path = join(dir, 'disk');
  for (let at = 0; at < content.length; at += K64)
    if ((at / K64) % 3 > 0) content.fill(at / K64, at, Math.min(at + K64, content.length));
  content[content.length - 1] = 7;
  writeFileSync(path, content);
});
afterAll(() => rmSync(dir, { recursive: true }));

/** What a slab should say of the cluster at `at`. */
function expected(at: number) {
  const bytes = Buffer.alloc(K64);
  content.copy(bytes, 0, at, at + K64);
  const zero = bytes.every((byte) => byte === 0) ? 1 : 0;
  return { at, zero, sha256: createHash('sha256').update(bytes).digest('hex'), equal: true };
}

async function sipped(options: SipOptions & { direct?: boolean }) {
  const held = hold(path, { direct: options.direct ?? false });
  const clusters = [];
  for await (const { count, at, zero, sha256, bytes } of sip(held, options)) {
    for (let n = 0; n < count; n += 1) {
      const here = at[n] ?? -1;
      const equal = content
        .subarray(here, here + K64)
        .equals(bytes.subarray(n * K64, n * K64 + Math.min(K64, content.length - here)));
      clusters.push({
        at: here,
        zero: zero[n],
        sha256: Buffer.from(sha256.subarray(n * 32, n * 32 + 32)).toString('hex'),
        equal,
      });
    }
  }
  held.close();
  return clusters;
}

const all = Array.from({ length: Math.ceil(content.length / K64) }, (_, n) => n * K64);

it('reads the whole file in order, with digest and zero flag of every cluster', async () => {
  expect(await sipped({ workers: 3 })).toEqual(all.map(expected));
});

it('reads the same past the page cache, also where the file ends inside a sector', async () => {
  expect(await sipped({ direct: true })).toEqual(all.map(expected));
});

it('reads only the clusters of the ranges, each once', async () => {
  const ranges = [
    { at: 10, length: 1 },
    { at: 300, length: K64 },
    { at: K64 * 9, length: K64 },
    { at: content.length - 1, length: 1 },
  ];
  expect((await sipped({ ranges })).map(({ at }) => at)).toEqual([0, K64, 9 * K64, all.at(-1)]);
});

it('says busy when the file became shorter', async () => {
  const short = join(dir, 'short');
  writeFileSync(short, content.subarray(0, 3 * K64));
  const held = hold(short);
  truncateSync(short, K64);
  await expect(sip(held).next()).rejects.toMatchObject({
    kind: 'busy',
    message: expect.stringContaining(`offset ${K64}`),
  });
  held.close();
});

it('may be left early', async () => {
  const held = hold(path);
  for await (const slab of sip(held)) if (slab.count > 0) break;
  expect(held.same()).toBe(true);
  held.close();
});

it('packs scattered ranges into one slab', () => {
  const ranges = [0, 4, 8, 12].map((n) => ({ at: n * K64, length: K64 }));
  expect([...slabsOf(ranges, 100 * K64, 3 * K64)].map((extents) => extents.map(({ at }) => at / K64))).toEqual([
    [0, 4, 8],
    [12],
  ]);
});

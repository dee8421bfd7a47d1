import { describe, expect, it } from 'vitest';
import { putU64, viewOf } from '../src/bits.ts';
import type { Policy } from '../src/finding.ts';
import { NotQcow2, parseHeader } from '../src/header.ts';
import { judge } from '../src/judge.ts';
import { openLayer } from '../src/open.ts';
import { bytesSource } from '../src/source.ts';
import { build } from './build.ts';

const policies: readonly Policy[] = ['attach', 'convert', 'full', 'increment', 'foreign-increment'];
const letters = { refuse: 'R', corrupt: 'C', warn: 'W' };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const image = (): Uint8Array => build({ clusterBits: 16, size: 2 ** 20, cells: [{ kind: 'data', byte: 1 }] }).bytes;

type Patch = (view: DataView, bytes: Uint8Array) => void;
const u32 =
  (at: number, value: number): Patch =>
  (view) =>
    view.setUint32(at, value);
const u64 =
  (at: number, value: number): Patch =>
  (view) =>
    putU64(view, at, value);
const all =
  (...patches: Patch[]): Patch =>
  (view, bytes) => {
    for (const patch of patches) patch(view, bytes);
  };
const extension = (type: number, data: Uint8Array, at = 112): Patch =>
  all(u32(at, type), u32(at + 4, data.length), (_, bytes) => bytes.set(data, at + 8));
const backing = (name: string, at = 512): Patch =>
  all(u64(8, at), u32(16, name.length), (_, bytes) => bytes.set(encode(name), at));
/** The header fields a version 2 image does not have, all zero. */
const version2: Patch = (view, bytes) => {
  bytes.fill(0, 72, 120);
  view.setUint32(4, 2);
};

async function header(patch: Patch, bytes = image()) {
  patch(viewOf(bytes), bytes);
  return parseHeader(bytesSource(bytes));
}

/** The rules a patched header breaks, as `Q4:RRRRW`: one letter per policy. */
async function told(patch: Patch): Promise<string[]> {
  const parsed = await header(patch);
  const verdicts = new Map<string, string[]>();
  for (const [column, policy] of policies.entries()) {
    for (const { rule, verdict } of judge(parsed, policy)) {
      const row = verdicts.get(rule) ?? ['-', '-', '-', '-', '-'];
      row[column] = letters[verdict];
      verdicts.set(rule, row);
    }
  }
  return [...verdicts].map(([rule, row]) => `${rule}:${row.join('')}`);
}

const cases: readonly (readonly [what: string, patch: Patch, expected: string])[] = [
  ['a sound image', () => {}, ''],
  ['a compatible bit', u64(80, 2 ** 40 + 1), ''],
  ['version 1', u32(4, 1), 'Q2:RRRRR'],
  ['version 4', u32(4, 4), 'Q2:RRRRR'],
  ['version 2', version2, 'Q2:W--RR'],
  ['backing file', backing('/etc/shadow'), 'Q4:RRRRW'],
  ['backing json', backing('json:{"driver":"nbd"}'), 'Q4:RRRRW'],
  ['backing nbd', backing('nbd://10.0.0.1/x'), 'Q4:RRRRW'],
  ['backing offset only', u64(8, 512), 'Q5:RRRRR'],
  ['backing length only', u32(16, 5), 'Q5:RRRRR'],
  ['backing name in the header', all(u64(8, 8), u32(16, 4)), 'Q4:RRRRW Q5:RRRRR'],
  ['backing name beyond cluster 0', all(u64(8, 65530), u32(16, 10)), 'Q4:RRRRW Q5:RRRRR'],
  ['backing name far away', all(u64(8, 2 ** 52), u32(16, 10)), 'Q4:RRRRW Q5:RRRRR'],
  ['backing name of 1024 bytes', backing('a'.repeat(1024)), 'Q4:RRRRW Q5:RRRRR'],
  ['backing name of 1023 bytes', backing('a'.repeat(1023)), 'Q4:RRRRW'],
  ['cluster_bits 8', u32(20, 8), 'Q6:CCCCC'],
  ['cluster_bits 22', u32(20, 22), 'Q6:CCCCC'],
  ['cluster_bits 2^32-1', u32(20, 2 ** 32 - 1), 'Q6:CCCCC'],
  ['size 0', u64(24, 0), 'Q7:CCCCC'],
  ['size not of sectors', u64(24, 2 ** 20 + 1), 'Q7:CCCCC'],
  ['size above 2^53', u32(24, 0x00200000), 'Q7:CCCCC'],
  ['crypt 1', u32(32, 1), 'Q8:RRRRR'],
  ['crypt 3', u32(32, 3), 'Q8:RRRRR'],
  ['L1 too small', u64(24, 2 ** 50), 'Q9:CCCCC'],
  ['L1 empty', u32(36, 0), 'Q9:CCCCC'],
  ['L1 of 4 Mi + 1 entries', u32(36, 4 * 2 ** 20 + 1), 'Q9:CCCCC'],
  ['L1 unaligned', u64(40, 131072 + 512), 'Q9:CCCCC'],
  ['L1 at 0', u64(40, 0), 'Q9:CCCCC'],
  ['L1 beyond EOF', u64(40, 2 ** 30), 'Q9:CCCCC'],
  ['L1 offset above 2^53', u32(40, 0x80000000), 'Q9:CCCCC'],
  ['L1 end beyond EOF', u32(36, 2 ** 20), 'Q9:CCCCC'],
  ['refcount table unaligned', u64(48, 65536 + 512), 'Q10:CCCCC'],
  ['refcount table at 0', u64(48, 0), 'Q10:CCCCC'],
  ['refcount table beyond EOF', u64(48, 2 ** 40), 'Q10:CCCCC'],
  ['refcount table empty', u32(56, 0), 'Q10:CCCCC'],
  ['refcount table above 8 MiB', u32(56, 129), 'Q10:CCCCC'],
  ['refcount table end beyond EOF', u32(56, 100), 'Q10:CCCCC'],
  ['a snapshot', u32(60, 1), 'Q11:WRRRR'],
  ['dirty', u32(76, 1), 'Q12:CCCCC'],
  ['corrupt', u32(76, 2), 'Q12:CCCCC'],
  ['external data file', u32(76, 4), 'Q13:RRRRR'],
  ['incompatible bit 5', u32(76, 32), 'Q13:RRRRR'],
  ['incompatible bit 63', u32(72, 0x80000000), 'Q13:RRRRR'],
  ['compression type without its bit', (view) => view.setUint8(104, 1), 'Q14:CCCCC'],
  ['compression type 2', all(u32(76, 8), (view) => view.setUint8(104, 2)), 'Q14:CCCCC'],
  ['zstd', all(u32(76, 8), (view) => view.setUint8(104, 1)), ''],
  ['extended L2 of 64 KiB', u32(76, 16), ''],
  ['extended L2 of 8 KiB', all(u32(20, 13), u32(76, 16)), 'Q15:CCCCC'],
  ['raw external data', u32(92, 2), 'Q16:RRRRR'],
  ['refcount_order 7', u32(96, 7), 'Q17:CCCCC'],
  ['refcount_order 6', u32(96, 6), ''],
  ['header_length 96', u32(100, 96), 'Q17:CCCCC'],
  ['header_length 108', u32(100, 108), 'Q17:CCCCC'],
  ['header_length above a cluster', u32(100, 65544), 'Q17:CCCCC'],
  ['header_length 104', u32(100, 104), ''],
  ['extension of 2^32-1 bytes', all(u32(112, 0x6803f857), u32(116, 2 ** 32 - 1)), 'Q18:CCCCC'],
  ['extensions without an end', extension(0x6803f857, new Uint8Array(65536 - 120)), 'Q18:CCCCC'],
  ['extension up to the backing name', all(extension(0x6803f857, new Uint8Array(48)), backing('x', 168)), 'Q4:RRRRW'],
  ['extension over the backing name', all(u32(112, 0x6803f857), u32(116, 1000), backing('x')), 'Q4:RRRRW Q18:CCCCC'],
  ['data file name', extension(0x44415441, encode('/dev/sda')), 'Q19:RRRRR'],
  ['encryption header', extension(0x0537be77, new Uint8Array(16)), 'Q19:RRRRR'],
  ['stray backing format', extension(0xe2792aca, encode('raw')), 'Q20:WWRWW'],
  ['backing format', all(extension(0xe2792aca, encode('raw')), backing('x')), 'Q4:RRRRW'],
  ['bitmaps', all(u32(92, 1), extension(0x23852875, new Uint8Array(24))), 'Q21:--WWW'],
  ['unknown extension', extension(0x12345678, new Uint8Array(3)), 'Q21:--WWW'],
  ['feature names', extension(0x6803f857, new Uint8Array(96)), ''],
];

describe('judge', () => {
  it.each(cases)('%s', async (_, patch, expected) => {
    expect((await told(patch)).join(' ')).toBe(expected);
  });

  it('reports all findings of a header', async () => {
    expect(await told(all(backing('/x'), u32(76, 1), u32(32, 2)))).toEqual(['Q4:RRRRW', 'Q8:RRRRR', 'Q12:CCCCC']);
  });

  it('escapes the backing name and names its byte', async () => {
    const [finding] = judge(await header(backing('/etc/\x1b[31mshadow')), 'full');
    expect(finding).toMatchObject({ rule: 'Q4', at: 8, value: '/etc/\\x1b[31mshadow' });
    expect(finding?.message).toBe('backing file "/etc/\\x1b[31mshadow"');
  });

  it('names an unknown feature as the image does', async () => {
    const entry = new Uint8Array(48);
    entry.set([0, 7, ...encode('time travel')]);
    const [finding] = judge(await header(all(u32(76, 128), extension(0x6803f857, entry))), 'attach');
    expect(finding?.message).toContain('"time travel" (bit 7)');
  });

  it('parses an extension that claims 4 GiB without following it', async () => {
    const parsed = await header(all(u32(112, 0x44415441), u32(116, 2 ** 32 - 1)));
    expect(parsed.extensions).toEqual([{ type: 0x44415441, at: 120, length: 2 ** 32 - 1 }]);
    expect(judge(parsed, 'attach').map(({ rule }) => rule)).toEqual(['Q18', 'Q19']);
  });
});

describe('a header that is cut off', () => {
  const head = image();

  it.each([0, 3])('%i bytes are not qcow2', async (length) => {
    await expect(parseHeader(bytesSource(head.subarray(0, length)))).rejects.toThrow(NotQcow2);
  });

  it.each([4, 7, 8, 71, 72, 103])('%i bytes are Q3', async (length) => {
    const parsed = await parseHeader(bytesSource(head.subarray(0, length)));
    for (const policy of policies) {
      expect(judge(parsed, policy)).toContainEqual(expect.objectContaining({ rule: 'Q3', verdict: 'corrupt' }));
    }
  });

  it('71 bytes are too few for version 2 as well', async () => {
    const old = image();
    version2(viewOf(old), old);
    const cut = await parseHeader(bytesSource(old.subarray(0, 71)));
    const whole = await parseHeader(bytesSource(old.subarray(0, 72)));
    expect(judge(cut, 'full').map(({ rule }) => rule)).toContain('Q3');
    expect(judge(whole, 'full').map(({ rule }) => rule)).not.toContain('Q3');
  });

  it('at any length an image opens or is refused', async () => {
    for (let length = 0; length < head.length; length += 4099) {
      await expect(
        openLayer(bytesSource(head.subarray(0, length)), 'full').then(
          () => 'open',
          (error) => error.name,
        ),
      ).resolves.toMatch(/NotQcow2|Refused|open/);
    }
  });
});

describe('parseHeader', () => {
  it('reads a version 2 header with its defaults', async () => {
    const bytes = build({ clusterBits: 16, size: 2 ** 20, cells: [], version: 2 }).bytes;
    const parsed = await parseHeader(bytesSource(bytes));
    expect(parsed).toMatchObject({
      version: 2,
      incompatible: 0n,
      autoclear: 0n,
      headerLength: 72,
      compression: 'zlib',
    });
    expect(parsed.refcount.order).toBe(4);
    expect(judge(parsed, 'full')).toEqual([]);
  });

  it('is not qcow2 without the magic', async () => {
    await expect(parseHeader(bytesSource(new Uint8Array(512)))).rejects.toThrow(NotQcow2);
  });

  it('keeps offsets exact beyond 2^32 and makes those beyond 2^53 NaN', async () => {
    const parsed = await header(all(u64(24, 2 ** 52 + 512), u64(40, 2 ** 33 + 65536), u32(48, 0x200000)));
    expect([parsed.size, parsed.l1.at, parsed.refcount.at]).toEqual([2 ** 52 + 512, 2 ** 33 + 65536, Number.NaN]);
  });

  it('keeps the names that it finds', async () => {
    const parsed = await header(all(extension(0xe2792aca, encode('qcow2')), backing('a\nb')));
    expect(parsed).toMatchObject({ backingFormat: 'qcow2', backing: { at: 512, length: 3, text: 'a\\x0ab' } });
  });
});

import { crc32 } from 'node:zlib';
import { bytesSource } from '@platter/qcow2/source';
import { GiB, MiB, TiB } from '@platter/units/size';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mbrOf, readTable } from '../src/partition.ts';

/** A disk of any size of which only the start is not zero. */
const disk = (head: Uint8Array, size: number) => ({
  size,
  async read(at: number, length: number) {
    const bytes = new Uint8Array(length);
    if (at < head.length) bytes.set(head.subarray(at, at + length));
    return bytes;
  },
});

const signature = new Uint8Array([1, 2, 3, 4]);
const entry = (bytes: Uint8Array, slot: number, values: number[]) => bytes.set(values, 446 + slot * 16);
const u32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

describe('an MBR of ours', () => {
  it.each([
    [64 * MiB, '00080000' + '00f80100'],
    [GiB, '00080000' + '00f81f00'],
    [2 * TiB - MiB, '00080000' + '00f0ffff'],
  ])('for %d bytes has exactly these bytes', (size, place) => {
    const bytes = Buffer.from(mbrOf(size, signature));
    expect(bytes.length).toBe(512);
    expect(bytes.toString('hex', 0, 440)).toBe('00'.repeat(440));
    expect(bytes.toString('hex', 440)).toBe(`010203040000${'00feffff83feffff'}${place}${'00'.repeat(48)}55aa`);
  });

  it('is read back as one partition from 1 MiB to the end', async () => {
    const sizes = fc.integer({ min: 64, max: 2 * 2 ** 20 - 1 }).map((mib) => mib * MiB);
    await fc.assert(
      fc.asyncProperty(sizes, async (size) => {
        const partitions = [{ index: 1, type: '0x83', start: MiB, size: size - MiB }];
        expect(await readTable(disk(mbrOf(size, signature), size))).toEqual({ kind: 'mbr', partitions });
      }),
    );
  });
});

describe('a partition table', () => {
  const none = { kind: 'none', partitions: [] };

  it('is not there without its signature, and not in a tiny disk', async () => {
    expect(await readTable(disk(new Uint8Array(512), MiB))).toEqual(none);
    expect(await readTable(bytesSource(new Uint8Array(512)))).toEqual(none);
  });

  it.each([
    ['a status that is none', [1, 0, 0, 0, 0x83, 0, 0, 0, ...u32(2048), ...u32(100)]],
    ['a start at the table', [0, 0, 0, 0, 0x83, 0, 0, 0, ...u32(0), ...u32(100)]],
    ['no length', [0, 0, 0, 0, 0x83, 0, 0, 0, ...u32(2048), ...u32(0)]],
    ['an end beyond the disk', [0, 0, 0, 0, 0x83, 0, 0, 0, ...u32(2048), ...u32(2 ** 31)]],
  ])('is no MBR with %s', async (_, values) => {
    const bytes = mbrOf(64 * MiB, signature);
    entry(bytes, 0, values);
    expect(await readTable(disk(bytes, 64 * MiB))).toEqual(none);
  });

  it('is no MBR when partitions overlap, and one when they do not', async () => {
    const bytes = mbrOf(64 * MiB, signature);
    entry(bytes, 0, [0x80, 0, 0, 0, 0x0c, 0, 0, 0, ...u32(2048), ...u32(2048)]);
    entry(bytes, 2, [0, 0, 0, 0, 5, 0, 0, 0, ...u32(4096), ...u32(2048)]);
    const { kind, partitions } = await readTable(disk(bytes, 64 * MiB));
    expect([kind, partitions.map(({ index, type }) => [index, type])]).toEqual([
      'mbr',
      [
        [1, '0x0c'],
        [3, '0x05'],
      ],
    ]);
    entry(bytes, 2, [0, 0, 0, 0, 5, 0, 0, 0, ...u32(4095), ...u32(2048)]);
    expect(await readTable(disk(bytes, 64 * MiB))).toEqual(none);
  });
});

/** A GPT for sectors of `unit` bytes with one Linux partition of sectors 64 to 127. */
const gpt = (unit: number) => {
  const head = Buffer.alloc(unit * 8);
  const entries = head.subarray(2 * unit, 2 * unit + 4 * 128);
  Buffer.from('af3dc60f838472478e793d69d8477de4', 'hex').copy(entries);
  entries.writeBigUInt64LE(64n, 32);
  entries.writeBigUInt64LE(127n, 40);
  const header = head.subarray(unit, unit + 92);
  header.write('EFI PART', 'latin1');
  header.writeUInt32LE(92, 12);
  header.writeBigUInt64LE(2n, 72);
  header.writeUInt32LE(4, 80);
  header.writeUInt32LE(128, 84);
  header.writeUInt32LE(crc32(entries), 88);
  header.writeUInt32LE(crc32(header), 16);
  entry(head, 0, [0, 0, 0, 0, 0xee, 0, 0, 0, ...u32(1), ...u32(100)]);
  head.set([0x55, 0xaa], 510);
  return { head, header, entries };
};

describe('a GPT', () => {
  it.each([512, 4096])('with sectors of %d bytes is read', async (unit) => {
    expect(await readTable(disk(gpt(unit).head, 64 * MiB))).toEqual({
      kind: 'gpt',
      partitions: [{ index: 1, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', start: 64 * unit, size: 64 * unit }],
    });
  });

  it('with a wrong checksum of its header or entries is none', async () => {
    const [one, other] = [gpt(512), gpt(512)];
    one.header[24] = 9;
    other.entries[0] = 9;
    for (const { head } of [one, other]) expect((await readTable(disk(head, 64 * MiB))).kind).toBe('mbr');
  });

  it('with lying counts costs nothing and is none', async () => {
    const { head, header } = gpt(512);
    header.writeUInt32LE(0xffffffff, 80);
    header.fill(0, 16, 20);
    header.writeUInt32LE(crc32(header), 16);
    expect((await readTable(disk(head, 64 * MiB))).kind).toBe('mbr');
  });
});

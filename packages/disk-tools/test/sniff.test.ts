import { gzipSync } from 'node:zlib';
import { bytesSource } from '@platter/qcow2/source';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recognise } from '../src/sniff.ts';

const put = (at: number, text: string, size = 66_000) => {
  const bytes = Buffer.alloc(size);
  bytes.write(text, at, 'latin1');
  return bytes;
};
const recognised = (bytes: Uint8Array) => recognise(bytesSource(bytes));

/** One tar header block. */
const member = (name: string, type = '0', size = 0) => {
  const block = put(0, name, 512);
  block.write('00000000000', 124, 'latin1');
  block.write(size.toString(8).padStart(11, '0'), 124, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\0', 257, 'latin1');
  return block;
};

describe('recognition by content', () => {
  it.each([
    ['QFI\xfb', 'qcow2'],
    ['KDMV', 'vmdk'],
    ['COWD', 'vmdk'],
    ['# Disk DescriptorFile\nversion=1', 'vmdk'],
  ])('%j begins a disk: %s', async (magic, format) => {
    expect(await recognised(put(0, magic))).toEqual({ kind: 'disk', format });
  });

  it.each([
    [0, 'QED\0', 'QED'],
    [0, 'vhdxfile', 'VHDX'],
    [0, 'conectix', 'VHD'],
    [66_000 - 512, 'conectix', 'VHD'],
    [64, '\x7f\x10\xda\xbe', 'VDI'],
    [0, 'WithoutFreeSpace', 'Parallels'],
    [0, 'WithouFreSpacExt', 'Parallels'],
    [0, '\xfd7zXZ\0', 'xz'],
    [0, '\x28\xb5\x2f\xfd', 'zstd'],
    [0, 'BZh9', 'bzip2'],
    [0, 'PK\x03\x04', 'zip'],
    [32_769, 'CD001', 'ISO'],
  ])('at %d, %j is named: %s', async (at, magic, what) => {
    const found = await recognised(put(at, magic));
    expect(found).toMatchObject({ kind: 'named', what: expect.stringContaining(what), way: expect.any(String) });
  });

  it('tells an OVA by its first member', async () => {
    expect(await recognised(member('a.ovf'))).toEqual({ kind: 'disk', format: 'ova' });
    expect(await recognised(member('a.txt'))).toEqual({ kind: 'unknown' });
    const extended = Buffer.concat([member('pax', 'x', 10), Buffer.alloc(512), member('a.ovf')]);
    expect(await recognised(extended)).toEqual({ kind: 'disk', format: 'ova' });
  });

  it('tells a GCE archive by what the gzip holds', async () => {
    const tar = Buffer.concat([member('disk.raw', 'S', 512), Buffer.alloc(2048, 'x')]);
    expect(await recognised(gzipSync(tar))).toEqual({ kind: 'disk', format: 'gcp-tar' });
    expect(await recognised(gzipSync(member('./disk.raw')))).toEqual({ kind: 'disk', format: 'gcp-tar' });
    const gzip = { kind: 'named', what: 'a gzip archive', way: 'unpack it: gzip -d' };
    expect(await recognised(gzipSync(member('other')))).toEqual(gzip);
    expect(await recognised(gzipSync('no tar'))).toEqual(gzip);
    expect(await recognised(Buffer.from('\x1f\x8bnonsense', 'latin1'))).toEqual(gzip);
  });

  it.each([0, 1, 3, 511])('takes %d bytes of nothing for nothing', async (length) => {
    expect(await recognised(Buffer.alloc(length))).toEqual({ kind: 'unknown' });
  });

  it('never throws, whatever the bytes are', async () => {
    const magics = ['QFI\xfb', '\x1f\x8b', 'ustar', 'KDMV'].map((text) => Buffer.from(text, 'latin1'));
    const bytes = fc.tuple(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 2000 }));
    await fc.assert(
      fc.asyncProperty(bytes, async ([magic, rest]) => {
        expect(await recognised(Buffer.concat([magic, rest]))).toHaveProperty('kind');
      }),
    );
  });
});

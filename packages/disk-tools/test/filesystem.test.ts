import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseSignature } from '@platter/host/tools/blkid';
import { bytesSource } from '@platter/qcow2/source';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasJournal, headAt, newXfsFeatures, readFilesystems, signaturesIn } from '../src/filesystem.ts';

const answers = join(import.meta.dirname, 'answers');
const head = (name: string) => gunzipSync(readFileSync(join(answers, `${name}.head.gz`)));
const one = (name: string) => signaturesIn(head(name))[0];
const names = readdirSync(answers).flatMap((file) => (file.endsWith('.blkid') ? [file.slice(0, -6)] : []));

describe('signatures', () => {
  it.each(names)('%s: type, label and UUID are what blkid says', (name) => {
    const { TYPE, LABEL = '', UUID } = parseSignature(readFileSync(join(answers, `${name}.blkid`), 'utf8'));
    expect(signaturesIn(head(name))).toMatchObject([{ type: TYPE, label: LABEL, uuid: UUID }]);
  });

  it.each([
    ['ext4-clean', 'clean', 64 * 2 ** 20],
    ['ext4-errors', 'errors', 64 * 2 ** 20],
    ['ext4-recover', 'recover', 64 * 2 ** 20],
    ['ext3-clean', 'clean', 16 * 2 ** 20],
    ['xfs', 'unknown', 300 * 2 ** 20],
    ['btrfs', 'clean', 120 * 2 ** 20],
  ])('%s is %s and has %d bytes', (name, state, size) => {
    expect(one(name)).toMatchObject({ state, size });
  });

  it('tell a journal from none, and XFS features that old kernels lack', () => {
    expect(hasJournal(head('ext4-clean'))).toBe(true);
    expect(hasJournal(head('ext4-nojournal'))).toBe(false);
    expect(newXfsFeatures(head('xfs'))).toEqual([]);
    expect(newXfsFeatures(head('xfs-new'))).toEqual(['ro_compat 0x8', 'incompat 0x8']);
  });

  it('of a FAT, an ISO and LUKS are read from their headers', () => {
    const fat = Buffer.alloc(69_632);
    fat.write('FAT16   ', 54);
    fat.write('PLATTER    ', 43);
    fat.set([0x55, 0xaa], 510);
    fat.writeUInt16LE(512, 11);
    fat.writeUInt8(4, 13);
    fat.writeUInt16LE(2048, 19);
    fat.writeUInt32LE(0x1234abcd, 39);
    const vfat = { type: 'vfat', label: 'PLATTER', uuid: '1234-ABCD', size: 2 ** 20, state: 'clean' };
    expect(signaturesIn(fat)).toEqual([vfat]);
    const iso = Buffer.alloc(69_632);
    iso.write('CD001', 32_769);
    iso.write('cidata'.padEnd(32), 32_808);
    iso.writeUInt32LE(28, 32_848);
    iso.writeUInt16LE(2048, 32_896);
    expect(signaturesIn(iso)).toMatchObject([{ type: 'iso9660', label: 'cidata', size: 56 * 1024 }]);
    const luks = Buffer.alloc(69_632);
    luks.write('LUKS\xba\xbe', 'latin1');
    luks.writeUInt16BE(2, 6);
    luks.write('secret', 24);
    luks.write('7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a11', 168);
    const uuid = '7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a11';
    expect(signaturesIn(luks)).toMatchObject([{ type: 'crypto_LUKS', label: 'secret', uuid }]);
  });

  it('show hostile labels escaped', () => {
    const hostile = head('ext4-clean');
    hostile.write('a\x1b[2J\nb\xff\0\0\0\0\0\0\0\0', 1144, 'latin1');
    expect(signaturesIn(hostile)[0]?.label).toBe('a\\x1b[2J\\x0ab\\xff');
  });

  it('never throw, whatever the bytes are', () => {
    const patch = fc.array(fc.tuple(fc.nat(69_631), fc.nat(255)), { maxLength: 40 });
    fc.assert(
      fc.property(fc.constantFrom(...names), patch, (name, changes) => {
        const bytes = head(name);
        for (const [at, value] of changes) bytes[at] = value;
        for (const { label } of signaturesIn(bytes)) expect(label).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});

describe('filesystems of a disk', () => {
  const disk = (parts: Record<number, string>, size: number) => {
    const bytes = Buffer.alloc(size);
    for (const [at, name] of Object.entries(parts)) head(name).copy(bytes, Number(at));
    return bytesSource(bytes);
  };
  const none = { kind: 'none' as const, partitions: [] };

  it('lie at its start and at the start of each partition', async () => {
    const partitions = [{ index: 1, type: '0x83', start: 2 ** 20, size: 64 * 2 ** 20 }];
    const found = await readFilesystems(disk({ [2 ** 20]: 'ext4-clean' }, 66 * 2 ** 20), { kind: 'mbr', partitions });
    expect(found).toMatchObject([{ type: 'ext4', offset: 2 ** 20, partition: 1, state: 'clean' }]);
  });

  it('that are larger than their place have errors', async () => {
    expect(await readFilesystems(disk({ 0: 'ext4-clean' }, 63 * 2 ** 20), none)).toMatchObject([{ state: 'errors' }]);
  });

  it('are told of a disk that is smaller than a head', async () => {
    expect(await readFilesystems(bytesSource(new Uint8Array(512)), none)).toEqual([]);
    expect((await headAt(bytesSource(new Uint8Array(10).fill(7)), 4)).subarray(0, 8)).toEqual(
      Buffer.from([7, 7, 7, 7, 7, 7, 0, 0]),
    );
  });
});

import type { Header } from '@platter/qcow2/header';
import { parseHeader } from '@platter/qcow2/header';
import { bytesSource } from '@platter/qcow2/source';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { Disk } from '../src/records.ts';
import { details, line, recordOf } from '../src/story.ts';
import { explained, failureOf, warningsOf } from '../src/verdict.ts';
import { content, disk, file, filesystem, uuid } from './fixture/disks.ts';

/** A header with a backing file and a data file, as parsed from bytes. */
async function header(): Promise<Header> {
  const bytes = Buffer.alloc(65_536);
  bytes.write('QFI\xfb', 'latin1');
  bytes.writeUInt32BE(3, 4);
  bytes.writeBigUInt64BE(4096n, 8);
  bytes.writeUInt32BE(bytes.write('/etc/\x1bshadow', 4096), 16);
  bytes.writeUInt32BE(16, 20);
  bytes.writeBigUInt64BE(2n ** 30n, 24);
  bytes.writeBigUInt64BE(4n, 72);
  bytes.writeUInt32BE(112, 100);
  bytes.writeUInt32BE(0x44415441, 112);
  bytes.writeUInt32BE(bytes.write('/dev/sda', 120), 116);
  return parseHeader(bytesSource(bytes));
}

const finding = {
  rule: 'Q4',
  verdict: 'refuse' as const,
  field: 'backing file',
  at: 8,
  value: 'x',
  message: 'backing file "x"',
};
const table = {
  rule: 'G4',
  verdict: 'corrupt' as const,
  field: 'L2 entry',
  at: 70_000,
  value: '1',
  message: 'beyond the file',
};
const note = { rule: 'Q2', verdict: 'warn' as const, field: 'version', at: 4, value: '2', message: 'version 2' };

describe('the record of a disk', () => {
  it('keeps its schema, and is plain JSON', async () => {
    const added = { path: '/d', warnings: ['w'], contentSha256: 'ab' };
    const qcow2 = disk({ format: 'qcow2', header: await header(), findings: [finding], content: null });
    for (const one of [disk(), qcow2, disk({ format: 'vmdk', content: null })]) {
      const record = JSON.parse(JSON.stringify(recordOf(one, { action: 'inspected', ...added })));
      expect(z.parse(Disk, record)).toEqual(record);
    }
  });

  it('leaves out numbers that are too large to be one', async () => {
    const huge = { ...(await header()), size: Number.NaN, l1: { at: Number.NaN, entries: 1 } };
    const record = recordOf(disk({ format: 'qcow2', header: huge, content: null }), {
      action: 'inspected',
      path: '/d',
    });
    expect(record).not.toHaveProperty('virtualSize');
    expect(record.header).toMatchObject({ l1: { entries: 1 } });
    expect(record.header).not.toHaveProperty('size');
  });

  it('says everything that an image refers to, escaped', async () => {
    const { references, header: shown } = recordOf(disk({ format: 'qcow2', header: await header() }), {
      action: 'inspected',
      path: '/d',
    });
    expect(references).toEqual([
      { kind: 'backing', text: '/etc/\\x1bshadow' },
      { kind: 'data-file', text: '/dev/sda' },
    ]);
    expect(shown).toMatchObject({ version: 3, incompatible: '0x4', size: 2 ** 30 });
  });

  it('says no size where nothing but the format is known', () => {
    expect(recordOf(disk({ format: 'ova', content: null }), { action: 'inspected', path: '/d' })).not.toHaveProperty(
      'virtualSize',
    );
    expect(
      recordOf(disk({ file: file({ dev: 0xfe01n, ino: 2n ** 60n }) }), { action: 'kept', path: '/d' }),
    ).toMatchObject({
      device: '254:1',
      inode: String(2n ** 60n),
      virtualSize: 2 ** 30,
    });
  });
});

describe('what people read', () => {
  it('is one line of what was done', () => {
    const record = recordOf(disk(), { action: 'kept', path: '/disks/d' });
    expect(line('d', record, '(nothing to do)')).toBe(
      'kept    d  raw 1 GiB  ext4 "platter-data" 7c1e40d2-…  (nothing to do)',
    );
  });

  it('is one line for each fact', () => {
    const partitions = [{ index: 1, type: '0x83', start: 2 ** 20, size: 2 ** 29 }];
    const filesystems = [filesystem({ offset: 2 ** 20, partition: 1, state: 'recover' })];
    const shown = disk({ content: content({ layout: 'mbr', partitions, filesystems }), findings: [note] });
    expect(details('d', recordOf(shown, { action: 'inspected', path: '/d', warnings: ['old'] }))).toEqual([
      'd  raw 1 GiB',
      '  file        1 GiB, 512 bytes on disk',
      '  layout      mbr',
      '  partition   1  0x83  512 MiB at 1 MiB',
      `  filesystem  ext4 "platter-data" ${uuid}  1 GiB at 1 MiB  recover`,
      '  warn        header byte 4 (rule Q2): version 2',
      '  note        old',
    ]);
  });
});

describe('findings', () => {
  it('that refuse beat those that say damage, and all are shown', () => {
    const failure = failureOf([note, table, finding], 'will not use d');
    expect(failure).toMatchObject({ kind: 'refused', message: 'will not use d: it refers to another file' });
    expect(failure?.details.at).toBe(`${explained(table)}\n${explained(finding)}`);
    expect(failure?.hint).toContain('standalone');
  });

  it('of damage hint at a repair of a copy, and of no harm are no failure', () => {
    expect(failureOf([table], 'x')).toMatchObject({
      kind: 'corrupt',
      message: 'x: beyond the file',
      hint: expect.stringContaining('COPY'),
    });
    expect(failureOf([note], 'x')).toBeNull();
    expect(warningsOf([note, table])).toEqual(['version 2 (rule Q2)']);
    expect(explained(table)).toBe('L2 entry at byte 70000 (rule G4): beyond the file');
  });
});

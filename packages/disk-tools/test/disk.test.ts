import { exitCodes, Failure } from '@platter/host/failure';
import type { Finding } from '@platter/qcow2/finding';
import { describe, expect, it } from 'vitest';
import { decide } from '../src/disk.ts';
import type { Found } from '../src/found.ts';
import type { Wish } from '../src/wish.ts';
import { content, disk, filesystem, uuid, wish } from './fixture/disks.ts';

const finding = (rule: string, verdict: Finding['verdict']): Finding => {
  return { rule, verdict, field: 'f', at: 8, value: 'v', message: `broke ${rule}` };
};
const partition = { index: 1, type: '0x83', start: 2 ** 20, size: 2 ** 29 };
const inside = filesystem({ offset: 2 ** 20, partition: 1 });

/** Exit code and what is said, for every state of the table. */
const rows: [name: string, found: Found, wish: Partial<Wish>, exit: number, says: string][] = [
  [
    'another label',
    disk({ content: content({ filesystems: [filesystem({ label: 'x' })] }) }),
    {},
    3,
    'ext4 "x", not "platter-data"',
  ],
  [
    'the label twice',
    disk({ content: content({ filesystems: [inside, { ...inside, offset: 2 ** 29 }], layout: 'gpt' }) }),
    {},
    3,
    '2 times',
  ],
  [
    'a table and a whole filesystem',
    disk({ content: content({ layout: 'mbr', partitions: [partition] }) }),
    {},
    3,
    'ambiguous',
  ],
  [
    'two at byte 0',
    disk({ content: content({ filesystems: [filesystem(), filesystem({ type: 'xfs', label: 'y' })] }) }),
    {},
    3,
    'ambiguous',
  ],
  [
    'ours in a partition, another at byte 0',
    disk({ content: content({ layout: 'mbr', filesystems: [inside, filesystem({ label: 'y' })] }) }),
    {},
    3,
    'ambiguous',
  ],
  ['blank', disk({ content: content({ filesystems: [], blank: true, layout: 'none' }) }), {}, 3, 'blank, probably'],
  ['unknown data', disk({ content: content({ filesystems: [], layout: 'none' }) }), {}, 3, 'unknown data'],
  ['another filesystem', disk(), { fs: 'xfs' }, 3, 'its fs is ext4, not xfs'],
  ['another layout', disk(), { layout: 'mbr' }, 3, 'its layout is whole, not mbr'],
  ['another format', disk(), { format: 'qcow2' }, 3, 'its format is raw, not qcow2'],
  ['another UUID', disk(), { uuid: 'u' }, 3, `its uuid is ${uuid}, not u`],
  [
    'a refusal',
    disk({ findings: [finding('Q12', 'corrupt'), finding('Q4', 'refuse')], content: null }),
    {},
    3,
    'refers to another file',
  ],
  ['damage', disk({ findings: [finding('Q12', 'corrupt')], content: null }), {}, 5, 'broke Q12'],
  ['a holder', disk({ holder: 'it is attached as /dev/loop7' }), {}, 4, '/dev/loop7'],
  ['a holder of a damaged one', disk({ holder: 'x', findings: [finding('Q12', 'corrupt')] }), {}, 4, 'x'],
  ['nothing recognised', { kind: 'unknown' }, {}, 3, 'not recognised'],
  ['a VMDK', disk({ format: 'vmdk', content: null }), {}, 3, 'it is a vmdk image'],
  ['another format by name', { kind: 'named', what: 'a VHDX image', way: 'convert it' }, {}, 3, 'a VHDX image'],
  ['a directory', { kind: 'thing', what: 'a directory' }, {}, 3, 'it is a directory'],
];

describe('what ensure decides', () => {
  it('creates where there is nothing', () => {
    expect(decide({ kind: 'absent' }, wish(), 'd')).toEqual({ action: 'create' });
  });

  it.each(rows)('refuses %s', (_, found, asked, exit, says) => {
    const failure = (() => {
      try {
        return decide(found, wish(asked), 'd.qcow2');
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(Failure);
    const { kind, message } = failure as Failure;
    expect(exitCodes[kind]).toBe(exit);
    expect(message).toMatch(/^will not use d\.qcow2: /);
    expect(message).toContain(says);
  });

  it.each([
    ['a sound disk', disk(), {}, []],
    ['what was said and is so', disk(), { fs: 'ext4', layout: 'whole', format: 'raw', uuid, size: 2 ** 30 }, []],
    [
      'another filesystem beside ours',
      disk({
        content: content({
          layout: 'gpt',
          filesystems: [inside, { ...inside, offset: 2 ** 29, label: 'boot', partition: 2 }],
        }),
      }),
      {},
      [],
    ],
    ['a smaller one than asked for', disk(), { size: 2 ** 31 }, ['it has 1 GiB, less than 2 GiB; grow it']],
    ['a larger one than asked for', disk(), { size: 2 ** 29 }, []],
    [
      'a journal to replay',
      disk({ content: content({ filesystems: [filesystem({ state: 'recover' })] }) }),
      {},
      ['its journal needs recovery'],
    ],
    [
      'errors',
      disk({ content: content({ filesystems: [filesystem({ state: 'errors' })] }) }),
      {},
      ['its filesystem has errors'],
    ],
    ['internal snapshots', disk({ findings: [finding('Q11', 'warn')] }), {}, ['broke Q11 (rule Q11)']],
  ] as [string, Found, Partial<Wish>, string[]][])('keeps %s', (_, found, asked, warnings) => {
    const decision = decide(found, wish(asked), 'd');
    expect(decision.action).toBe('keep');
    const said = decision.action === 'keep' ? decision.warnings : [];
    expect(said.map((text, index) => text.startsWith(warnings[index] ?? '?'))).toEqual(warnings.map(() => true));
  });
});

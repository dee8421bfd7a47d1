import { hash } from 'node:crypto';
import { type Facts, output, scripted } from '@platter/host/scripted';
import { describe, expect, it } from 'vitest';
import { filesystemsOn } from '../src/filesystems.ts';
import { check } from '../src/fsck.ts';
import { manifestText, seal } from '../src/manifest.ts';
import type { Receipt } from '../src/manifest-kinds.ts';
import { orders, pick } from '../src/picking.ts';
import { heading } from '../src/publish.ts';
import { drillsOf, lastDrillOf, newestDigest, type Receipts, receiptFindings } from '../src/receipts.ts';
import { parsePartitions } from '../src/sfdisk.ts';

describe('which points are drilled', () => {
  const candidates = [
    { name: 'a', capturedAt: '2026-01-01T00:00:00Z', drilledAt: '2026-01-09T00:00:00Z' },
    { name: 'b', capturedAt: '2026-01-02T00:00:00Z', drilledAt: '2026-01-05T00:00:00Z' },
    { name: 'c', capturedAt: '2026-01-03T00:00:00Z', drilledAt: null },
    { name: 'e', capturedAt: '2026-01-06T00:00:00Z', drilledAt: null },
    { name: 'd', capturedAt: '2026-01-06T00:00:00Z', drilledAt: null },
  ];
  it.each([
    ['newest', 'decba'],
    ['oldest', 'abcde'],
    ['stalest', 'cbdea'],
  ] as const)('%s', (order, names) => {
    for (const count of [1, 3, 9])
      expect(
        pick(candidates, order, count)
          .map(({ name }) => name)
          .join(''),
      ).toBe(names.slice(0, count));
  });
  it('has nothing to say of none', () => {
    for (const order of orders) expect(pick([], order, 1)).toEqual([]);
  });
});

const [repo, hex] = ['4be1f6c2-6c0e-4d0e-9d54-0f6c3c9a7f11', 'a'.repeat(64)];
const receipt = (n: number, change: Partial<Receipt> = {}): Receipt =>
  seal({
    ...heading('Drill'),
    repo,
    disk: { namespace: 'default', vm: 'db', name: 'data', uid: 'uid' },
    point: 'id-1',
    set: null,
    at: `2026-01-0${n}T00:00:00Z`,
    via: 'read' as const,
    engine: 'native' as const,
    content: { recorded: hex, found: hex },
    equal: true,
    filesystems: [],
    result: 'ok' as const,
    failure: null,
    bytes: 1,
    seconds: 1,
    host: 'here',
    tool: 'backup-chain 0.1.0',
    manifestSha256: hex,
    previous: null,
    ...change,
  });
const digest = (one: Receipt): string => hash('sha256', manifestText(one));
const leaves = (...all: Receipt[]): Receipts =>
  all.map((value, n) => ({ name: `${n}`, path: `/r/${n}`, value, fault: null }));

describe('a chain of receipts', () => {
  const first = receipt(1);
  const second = receipt(2, { previous: digest(first) });
  // Written when the clock had been set back.
  const third = receipt(0, { previous: digest(second), at: '2025-12-31T00:00:00Z' });

  it('ends with the one that no other follows, whatever the clock said', () => {
    expect(newestDigest([], 'data')).toBeNull();
    expect(newestDigest(leaves(first), 'data')).toBe(digest(first));
    expect(newestDigest(leaves(third, first, second), 'data')).toBe(digest(third));
    expect(newestDigest(leaves(first), 'root')).toBeNull();
  });

  it('whole has no findings; one that is missing, changed or unreadable has', () => {
    const rules = (receipts: Receipts) => receiptFindings(receipts).map(({ rule, object }) => `${rule} ${object}`);
    expect(rules(leaves(first, second, third))).toEqual([]);
    expect(rules(leaves(second, third))).toEqual(['receipt /r/0']);
    expect(rules(leaves(receipt(1, { host: 'elsewhere' }), second, third))).toEqual(['receipt /r/1']);
    const fault = { code: 'corrupt' as const, message: 'its bytes are not the ones that were written' };
    expect(rules([{ name: '0', path: '/r/0', value: null, fault }, ...leaves(first).slice(1)])).toEqual(['C11 /r/0']);
  });

  it('tells of a set what the newest of each member says', () => {
    const member = (disk: string, point = 'id-1') => ({ disk, uid: 'uid', point, stateId: hex, virtualSize: 1 });
    const root = receipt(3, { disk: { namespace: 'default', vm: 'db', name: 'root', uid: 'uid' }, result: 'failed' });
    const last = (members: ReturnType<typeof member>[], ...all: Receipt[]) => lastDrillOf(leaves(...all), { members });
    expect(last([member('data')])).toBeNull();
    expect(last([member('data', 'id-2')], first)).toBeNull();
    expect(last([member('data')], first, second)).toEqual({ at: second.at, result: 'ok' });
    expect(last([member('data')], receipt(1, { result: 'failed' }), second)).toEqual({ at: second.at, result: 'ok' });
    expect(last([member('data'), member('root')], first)).toEqual({ at: first.at, result: 'partial' });
    expect(last([member('data'), member('root')], first, root)).toEqual({ at: root.at, result: 'failed' });
    expect(drillsOf(leaves(first, root), 'root', 'id-1')).toEqual([root]);
  });
});

describe('partitions, as sfdisk -J tells them', () => {
  const table = (label: string, partitions: object[], more = {}) =>
    JSON.stringify({ partitiontable: { label, device: 'd', unit: 'sectors', ...more, partitions } });

  it.each([
    [
      'GPT',
      table('gpt', [
        { node: 'd1', start: 2048, size: 204800, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', uuid: 'x' },
        { node: 'd2', start: 206848, size: 608256, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', name: 'n' },
      ]),
      [
        { offset: 2048 * 512, length: 204800 * 512 },
        { offset: 206848 * 512, length: 608256 * 512 },
      ],
    ],
    [
      'MBR, without the container of the logical ones',
      table('dos', [
        { node: 'd1', start: 63, size: 100, type: '83', bootable: true },
        { node: 'd2', start: 4096, size: 9000, type: '5' },
        { node: 'd5', start: 6144, size: 100, type: '83' },
      ]),
      [
        { offset: 63 * 512, length: 51_200 },
        { offset: 6144 * 512, length: 51_200 },
      ],
    ],
    [
      'large sectors',
      table('gpt', [{ start: 256, size: 10, type: 'x' }], { sectorsize: 4096 }),
      [{ offset: 2 ** 20, length: 40_960 }],
    ],
    ['an empty table', JSON.stringify({ partitiontable: { label: 'gpt', sectorsize: 512 } }), []],
  ])('%s', (_, stdout, partitions) => expect(parsePartitions(stdout)).toEqual(partitions));

  it.each(['', '{}', '{"partitiontable":{"partitions":[{}]}}'])('%j is could not tell', (stdout) =>
    expect(() => parsePartitions(stdout)).toThrow(expect.objectContaining({ kind: 'failed' })),
  );
});

describe('what is looked for', () => {
  const blkid = (stdout: string, code = 0) => output({ code, stdout, stderr: code === 8 ? 'ambivalent' : '' });
  const found = (facts: Facts) => filesystemsOn(scripted(facts), '/d', 1000);
  const whole = 'blkid -p -o export -- /d';

  it('a disk as a whole, nothing, or what cannot be told apart', async () => {
    expect(await found({ [whole]: blkid('TYPE=ext4\nPTTYPE=dos\n') })).toEqual([
      { offset: 0, length: 1000, type: 'ext4' },
    ]);
    expect(await found({ [whole]: blkid('', 2) })).toEqual([]);
    expect(await found({ [whole]: blkid('', 8) })).toEqual([{ offset: 0, length: 1000, type: 'unclear' }]);
  });

  it('each partition that holds something', async () => {
    const partitions = [
      { start: 8, size: 16, type: '83' },
      { start: 24, size: 8, type: '83' },
    ];
    const facts = {
      [whole]: blkid('PTTYPE=dos\n'),
      'sfdisk -J -- /d': output({ stdout: JSON.stringify({ partitiontable: { partitions } }) }),
      'blkid -p -o export -O 4096 -S 8192 -- /d': blkid('TYPE=xfs\n'),
      'blkid -p -o export -O 12288 -S 4096 -- /d': blkid('', 2),
    };
    expect(await found(facts)).toEqual([{ offset: 4096, length: 8192, type: 'xfs' }]);
  });
});

describe('what a checker says', () => {
  const alert = 'ALERT: The filesystem has valuable metadata changes in a log which is being\nignored because';
  const e2fsck = "(cd '/s?' && e2fsck -f -p disk.raw)";
  const xfs = "(cd '/s?' && xfs_repair -n -f disk.raw)";
  const btrfs = "(cd '/s?' && btrfs check --readonly disk.raw)";

  it.each([
    ['ext4', e2fsck, { code: 0 }, 'ok'],
    ['ext3', e2fsck, { code: 1 }, 'ok'],
    ['ext2', e2fsck, { code: 2 }, 'ok'],
    ['ext4', e2fsck, { code: 4 }, 'bad'],
    ['ext4', e2fsck, { code: 8 }, 'bad'],
    ['ext4', e2fsck, { code: 12 }, 'bad'],
    ['ext4', e2fsck, { code: null }, 'inconclusive'],
    ['xfs', xfs, { code: 0 }, 'ok'],
    ['xfs', xfs, { code: 1 }, 'bad'],
    ['xfs', xfs, { code: 0, stdout: alert }, 'inconclusive'],
    ['xfs', xfs, { code: 1, stderr: alert }, 'inconclusive'],
    ['btrfs', btrfs, { code: 0 }, 'ok'],
    ['btrfs', btrfs, { code: 1 }, 'bad'],
  ] as const)('of %s: %s, %j: %s', async (type, line, said, result) => {
    const host = scripted({ [line]: output(said) });
    expect(await check(host, type, { folder: '/s?', file: 'disk.raw' })).toEqual({ result, rc: said.code });
    expect(host.changes).toEqual([line]);
  });

  it.each(['crypto_LUKS', 'LVM2_member', 'vfat', 'unclear', 'toString'])('%s is not checked', async (type) => {
    const host = scripted({});
    expect(await check(host, type, { folder: '/s', file: 'd' })).toEqual({ result: 'not-checked', rc: null });
    expect(host.changes).toEqual([]);
  });
});

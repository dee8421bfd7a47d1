import type { Output } from '@platter/host/door';
import type { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { type Facts, output, scripted } from '@platter/host/scripted';
import { describe, expect, it } from 'vitest';
import { fsck } from '../src/fsck.ts';
import type { Opened } from '../src/survey.ts';
import { targetOf } from '../src/target.ts';
import { callOn } from './fixture/call.ts';
import { content, disk, file, filesystem } from './fixture/disks.ts';

const raw = '/scratch/.d.platter-abababababababab/raw';
const program = { ...file(), mode: 0o755 };
const opened = { held: { fd: 9, pin: () => () => {} } as unknown as Held, guest: { size: 2 ** 30 } } as Opened;
const alert = 'ALERT: The filesystem has valuable metadata changes in a log which is being\nignored';

const facts = (more: Facts): Facts => ({
  'stat /scratch': { ...file(), kind: 'dir' },
  'space /scratch': { free: 1e12, total: 1e12, type: 0xef53 },
  'stat /scratch/.d.platter-lock': null,
  ...Object.fromEntries(['qemu-img', 'prlimit', 'e2fsck', 'xfs_repair'].map((name) => [`stat /bin/${name}`, program])),
  ...more,
});

const checked = async (types: string[], more: Facts) => {
  const host = scripted(facts(more));
  const { call } = callOn(host, {});
  const filesystems = types.map((type, index) => filesystem({ type, offset: index * 2 ** 20 }));
  const subject = { target: targetOf('/disks', 'd'), opened, scratch: '/scratch' };
  const result = await fsck(call, disk({ content: content({ filesystems }) }), subject).catch((error) => error);
  return { result, changes: host.changes };
};

const ending = (line: string, end: Partial<Output>) => ({ [`${line} ${raw}`]: output(end) });

describe('fsck of a copy', () => {
  it.each([
    ['ext4', 'e2fsck -fp --', { code: 0 }, []],
    ['ext4', 'e2fsck -fp --', { code: 1 }, []],
    ['ext3', 'e2fsck -fp --', { code: 4, stdout: 'UNEXPECTED INCONSISTENCY' }, 'corrupt'],
    ['ext4', 'e2fsck -fp --', { code: 8, stderr: 'odd' }, 'failed'],
    ['ext4', 'e2fsck -fp --', { code: null }, 'failed'],
    ['xfs', 'xfs_repair -n -f --', { code: 0 }, []],
    ['xfs', 'xfs_repair -n -f --', { code: 1, stderr: 'bad magic' }, 'corrupt'],
    ['xfs', 'xfs_repair -n -f --', { code: 1, stdout: alert }, ['not checked']],
    ['xfs', 'xfs_repair -n -f --', { code: 0, stderr: alert }, ['not checked']],
    ['xfs', 'xfs_repair -n -f --', { code: 2 }, 'failed'],
  ] as [string, string, Partial<Output>, string | string[]][])(
    '%s: %s ending as %j',
    async (type, line, end, wanted) => {
      const { result, changes } = await checked([type], ending(line, end));
      if (typeof wanted === 'string') expect(result).toMatchObject({ kind: wanted });
      else expect(result).toEqual(wanted.map((text) => expect.stringContaining(text)));
      expect(changes.at(-1)).toBe('rm -f -- /scratch/.d.platter-lock');
    },
  );

  it('copies each filesystem alone, and none that has no checker', async () => {
    const { result, changes } = await checked(['ext4', 'xfs', 'btrfs'], {});
    expect(result).toEqual([expect.stringContaining('btrfs "platter-data" was not checked')]);
    const copies = changes.filter((line) => line.includes('convert'));
    expect(copies.map((line) => /"offset":(\d+),"size":(\d+)/.exec(line)?.slice(1))).toEqual([
      ['0', String(2 ** 30)],
      [String(2 ** 20), String(2 ** 30 - 2 ** 20)],
    ]);
  });

  it('changes nothing where there is nothing to check, no program or no space', async () => {
    expect((await checked(['swap'], {})).changes).toEqual([]);
    const gone = Object.fromEntries(
      ['/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'].map((p) => [`stat ${p}/e2fsck`, null]),
    );
    const missing = await checked(['ext4'], gone);
    expect([missing.result.kind, missing.changes]).toEqual(['unsupported', []]);
    const full = await checked(['ext4'], { 'space /scratch': { free: 1, total: 1, type: 0 } });
    expect([(full.result as Failure).kind, full.changes]).toEqual(['refused', []]);
  });
});

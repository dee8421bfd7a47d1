import { type Facts, output, scripted } from '@platter/host/scripted';
import { describe, expect, it } from 'vitest';
import { holder, writer } from '../src/holders.ts';
import { file } from './fixture/disks.ts';

const path = '/disks/d';
const lock = (device: string, inode: number, byte: number) =>
  `1: OFDLCK ADVISORY  READ -1 ${device}:${inode} ${byte} ${byte}\n`;
const listing = 'losetup -J -l -O NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN,AUTOCLEAR,RO,DIO,LOG-SEC,OFFSET,SIZELIMIT';
const loops = (row: object): Facts => ({
  'list /sys/block': [
    { name: 'loop0', kind: 'link' },
    { name: 'loop7', kind: 'link' },
    { name: 'sda', kind: 'link' },
  ],
  'stat /sys/block/loop0/loop': null,
  'stat /sys/block/loop7/loop': file({ kind: 'dir' }),
  [listing]: output({ stdout: JSON.stringify({ loopdevices: [{ name: '/dev/loop7', ...row }] }) }),
  'stat /dev/loop7': file({ kind: 'block', rdev: 0x707n }),
  'text /proc/self/mountinfo': '',
});
const unheld: Facts = { 'text /proc/locks': '', 'list /sys/block': [], 'list /proc': [] };
const held = (facts: Facts) => holder(scripted({ ...unheld, ...facts }), path, file());

describe('the holder of a file', () => {
  it('is nobody when nothing says otherwise, and no program is asked', async () => {
    expect(await held({})).toBeNull();
    expect(
      await held({ 'list /sys/block': [{ name: 'loop0', kind: 'link' }], 'stat /sys/block/loop0/loop': null }),
    ).toBeNull();
  });

  it.each([
    ['a VM that writes', lock('fe:00', 42, 101), true],
    ['a VM that only reads', lock('fe:00', 42, 100), false],
    ['a VM with another file', lock('fe:00', 43, 101), false],
    ['a VM with a file of the same number elsewhere', lock('fd:00', 42, 101), false],
  ])('%s: /proc/locks tells', async (_, locks, binding) => {
    const facts = { 'text /proc/locks': locks, [`space ${path}`]: { free: 1, total: 1, type: 0xef53 } };
    expect(await held(facts)).toBe(binding ? 'a running VM writes to it' : null);
  });

  it('on btrfs is told by the inode alone, for its device numbers differ', async () => {
    const facts = {
      'text /proc/locks': lock('00:2f', 42, 101),
      [`space ${path}`]: { free: 1, total: 1, type: 0x9123683e },
    };
    expect(await held(facts)).toBe('a running VM writes to it');
  });

  it('is named where its descriptors can be seen', async () => {
    const processes: Facts = {
      'list /proc': [
        { name: 'self', kind: 'link' },
        { name: '7', kind: 'dir' },
        { name: '9', kind: 'dir' },
      ],
      'list /proc/7/fd': () => {
        throw new Error('EACCES');
      },
      'list /proc/9/fd': [
        { name: '3', kind: 'link' },
        { name: '4', kind: 'link' },
      ],
      'stat /proc/9/fd/3': null,
      'stat /proc/9/fd/4': file(),
      'text /proc/9/comm': 'qemu-system-x86\n',
    };
    const host = scripted({ ...unheld, 'text /proc/locks': lock('fe:00', 42, 101), ...processes });
    expect(await writer(host, path, file())).toBe('a running VM writes to it (pid 9 qemu-system-x86)');
  });

  it.each([
    ['its inode', { 'back-ino': 42, 'back-maj:min': '254:0', 'back-file': '/other' }, true],
    ['another inode of its name', { 'back-ino': 43, 'back-maj:min': '254:0', 'back-file': path }, false],
    ['an unknown inode of its name', { 'back-ino': null, 'back-maj:min': null, 'back-file': '/elsewhere/d' }, true],
    ['an unknown inode of another name', { 'back-ino': null, 'back-maj:min': null, 'back-file': '/disks/e' }, false],
  ])('is a loop over %s', async (_, row, binding) => {
    expect(await held(loops(row))).toBe(binding ? 'it is attached as /dev/loop7' : null);
  });

  it('is named with the mount of the loop', async () => {
    const mount = '36 25 7:7 / /mnt/a\\040b rw - ext4 /dev/loop7 rw\n';
    const facts = { ...loops({ 'back-ino': 42, 'back-maj:min': '254:0' }), 'text /proc/self/mountinfo': mount };
    expect(await held(facts)).toBe('it is attached as /dev/loop7, which is mounted at /mnt/a b');
  });

  it('cannot be told without /proc/locks', async () => {
    await expect(held({ 'text /proc/locks': null })).rejects.toThrow('could not tell');
  });
});

describe('the holder of a block device', () => {
  it('can be a VM; all others the kernel keeps out of a device that we claim', async () => {
    const device = file({ kind: 'block', rdev: 0x707n });
    expect(await holder(scripted(unheld), '/dev/loop7', device)).toBeNull();
    const written = { ...unheld, 'text /proc/locks': lock('fe:00', 42, 101) };
    expect(await holder(scripted(written), '/dev/loop7', device)).toBe('a running VM writes to it');
  });
});

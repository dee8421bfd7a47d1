import type { Host, Query } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import { strayOf } from '../src/findings/strays.ts';
import { parseAttributes } from '../src/lsattr.ts';
import { mountsElsewhere, mountsInside } from '../src/mounts.ts';
import { Disk } from './disk.ts';
import { changesOf, head, poolOf } from './pool-of.ts';
import { say } from './said.ts';

describe('a name in the pool', () => {
  it.each([
    ['v.img', null],
    ['v-dirty.img', null],
    ['v-precache.img', null],
    ['v-import.img', null],
    ['v.img.3@2026-11-20T00:00:00Z', null],
    ['v.img.3@2026-11-20T00:00:00Z~abcdefgh', null],
    ['v.img~abcdefgh', null],
    ['v.img~abc', 'foreign-file'],
    ['v-cow.img', 'cow-file'],
    ['v-cow.img.old', 'cow-file'],
    ['v.img@2018-01-02T03:04:05Z', 'bad-revision-name'],
    ['v.img.03@2026-11-20T00:00:00Z', 'bad-revision-name'],
    ['v.img.0@2026-11-20T00:00:00Z', 'bad-revision-name'],
    ['v.img.foo@2026-11-20T00:00:00Z', 'bad-revision-name'],
    ['v.img.3@yesterdayZ', 'bad-revision-name'],
    ['v.img.old', 'foreign-file'],
    ['notes', 'foreign-file'],
    ['.hidden', 'foreign-file'],
  ])('%s: %s', (name, code) => {
    expect(strayOf({ name, kind: 'file' })?.code ?? null).toBe(code);
  });

  it.each([
    ['v.img', 'link', 'symlink'],
    ['x', 'link', 'symlink'],
    ['v.img', 'dir', 'foreign-file'],
    ['v', 'dir', null],
    ['lost+found', 'dir', null],
    ['v.img', 'fifo', 'foreign-file'],
  ] as const)('%s as %s: %s', (name, kind, code) => {
    expect(strayOf({ name, kind })?.code ?? null).toBe(code);
  });
});

describe('mounts', () => {
  const around = (...lines: string[]) => {
    const disk = new Disk('/srv/vms');
    const rows = lines.map((line, index) => `${index} 1 ${line.replaceAll(' on ', ' ')} rw - xfs src rw`);
    disk.facts.set('/proc/self/mountinfo', rows.join('\n'));
    return disk;
  };

  it.each([
    ['8:1 / on /', '8:2 / on /srv', ['none'], []],
    ['8:1 / on /', '8:2 / on /srv/vms/a', ['/srv/vms/a'], []],
    ['8:1 / on /', '8:1 /srv/vms/a on /srv/vms/b', ['/srv/vms/b'], []],
    ['8:2 / on /srv', '8:2 /vms on /mnt', ['none'], ['/mnt']],
    ['8:2 / on /srv', '8:2 /vms/a on /mnt', ['none'], ['/mnt']],
    ['8:2 / on /srv', '8:2 /vmsx on /mnt', ['none'], []],
    ['8:2 / on /srv', '8:2 / on /mnt', ['none'], []],
    ['8:2 /x on /srv/vms', '8:2 /x on /mnt', ['none'], ['/mnt']],
    ['8:2 /x on /srv/vms', '8:3 /x on /mnt', ['none'], []],
    ['8:2 / on /srv/vms', '8:2 /sub on /mnt', ['none'], ['/mnt']],
  ])('%s, %s: inside %j, elsewhere %j', async (first, second, inside, elsewhere) => {
    const disk = around(first, second);
    expect(await mountsInside(disk, '/srv/vms')).toEqual(inside.filter((point) => point !== 'none'));
    expect(await mountsElsewhere(disk, '/srv/vms')).toEqual(elsewhere);
  });
});

describe('doctor', () => {
  it('reads the attributes of lsattr', () => {
    const stdout = '---------------C------ /p/a b.img\n---------------------- /p/c.img\nlsattr: nothing\n';
    expect(parseAttributes(stdout)).toEqual([
      ['/p/a b.img', true],
      ['/p/c.img', false],
    ]);
  });

  it('leaves a set alone that somebody is making just now', async () => {
    const disk = await poolOf('create v --size 512');
    const write = (path: string, data: string) =>
      disk.change({ op: 'write', path: `/pool/.platter/${path}`, data, mode: 0o600, exclusive: true });
    await write('sets/s.intent', '{"members":[{"volume":"v","number":9}]}');
    expect((await say(disk, 'doctor')).records).toMatchObject([{ code: 'unfinished-set' }]);
    await write('locks/%sets', '');
    const busy = new Failure('busy', 'somebody has it');
    const query = async (look: Query) => (look.op === 'lock' ? Promise.reject(busy) : disk.query(look)) as never;
    const crowded: Host = { dry: false, query, change: (change) => disk.change(change) };
    expect((await say(crowded, 'doctor')).code).toBe(0);
  });

  it('makes no change and ends with 3', async () => {
    const disk = await poolOf('create v --size 512');
    await disk.change({ op: 'chmod', path: head, mode: 0o600 });
    const { code, changes, texts, names } = await changesOf(disk, 'doctor');
    expect([code, changes, names]).toEqual([3, [], [head]]);
    expect(texts).toEqual([
      `writable-head  ${head} is a committed image and may be written`,
      `  fix  chmod 0400 -- ${head}`,
    ]);
    expect((await say(disk, 'doctor --for lvm')).code).toBe(2);
  });
});

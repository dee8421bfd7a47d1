import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { TestPool } from './pool.ts';

/** The tree without what a lock says of its last holder. */
const still = async (pool: TestPool) =>
  Object.fromEntries(Object.entries(await tree(pool.path)).filter(([path]) => !path.startsWith('.platter/locks')));

async function withVolume(folder: string, ...words: string[]): Promise<TestPool> {
  const pool = await TestPool.at(folder, ...words);
  await pool.say('create', 'v', '--size', '1M', '--policy', 'count=5');
  await pool.say('start', 'v');
  await pool.write('v-dirty.img', 0, 'guest');
  await pool.say('stop', 'v');
  return pool;
}

needs(
  'root',
  'loop',
  'xfs',
)('a pool on XFS', () => {
  it('made without reflink is refused with what was probed, and may copy when told so', async () => {
    await using folder = await mounted('xfs', undefined, ['-m', 'reflink=0']);
    const pool = new TestPool(folder.path);
    await mkdir(pool.path);
    const refused = await pool.try('init', '--reserve', '0');
    expect([refused.code, refused.stderr]).toEqual([
      6,
      expect.stringMatching(/probed .*Operation not supported.*--allow-copy/s),
    ]);
    await pool.say('init', '--reserve', '0', '--allow-copy');
    await pool.say('create', 'v', '--size', '1M');
    expect((await pool.tell('start', 'v'))[0]).toMatchObject({ method: 'copy' });
    await pool.write('v-dirty.img', 0, 'guest');
    expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'committed' });
    expect((await pool.tell('revert', 'v'))[0]).toMatchObject({ outcome: 'reverted' });
  });

  it('mounted read-only is looked at, and changed by nobody', async () => {
    await using folder = await mounted('xfs');
    const pool = await withVolume(folder.path);
    const before = await tree(pool.path);
    await succeed(['mount', '-o', 'remount,ro', folder.path]);
    for (const line of ['list', 'list --revisions', 'show', 'show v', 'show v@1', 'diff v'])
      expect({ line, ...(await pool.try(...line.split(' '))) }).toMatchObject({ line, code: 0 });
    for (const line of [
      'create w --size 1M',
      'start v',
      'start v --prepare',
      'stop v',
      'revert v',
      'import v /dev/null',
      'import w - --create',
      'import v --begin --size 1M',
      'remove v --confirm=v',
      'remove v@1 --confirm=v@1',
    ]) {
      const { code, stderr } = await pool.try(...line.split(' '));
      expect([line, code, stderr]).toEqual([line, 3, expect.stringContaining('read-only')]);
    }
    expect(await tree(pool.path)).toEqual(before);
    await succeed(['mount', '-o', 'remount,rw', folder.path]);
  });

  it('with a family that crosses a mount is refused for that volume alone', async () => {
    await using folder = await mounted('xfs');
    await using elsewhere = await mounted('ext4', 64 * 2 ** 20);
    const pool = await withVolume(folder.path);
    await pool.say('create', 'w', '--size', '1M');
    await writeFile(join(elsewhere.path, 'x'), 'far away');
    const [revision] = await pool.tell('list', '--revisions');
    await succeed(['mount', '--bind', join(elsewhere.path, 'x'), revision?.path ?? '']);
    for (const line of ['start v', 'stop v', 'revert v', 'remove v --confirm=v', 'create v --size 1M']) {
      const { code, stderr } = await pool.try(...line.split(' '));
      expect([line, code, stderr]).toEqual([line, 3, expect.stringContaining(pool.file('v'))]);
    }
    const listed = await pool.try('list', '-o', 'name');
    expect([listed.code, listed.stdout, listed.stderr]).toEqual([
      0,
      'w\n',
      expect.stringContaining('v cannot be looked at'),
    ]);
    expect((await pool.tell('start', 'w'))[0]).toMatchObject({ outcome: 'started' });
    await succeed(['umount', revision?.path ?? '']);
  });

  it('with a link or a directory in the place of an image is refused, and those are left alone', async () => {
    await using folder = await mounted('xfs');
    const pool = await withVolume(folder.path);
    await writeFile(pool.file('target'), 'precious');
    await symlink(pool.file('target'), pool.file('v-precache.img'));
    await mkdir(pool.file('v-import.img'));
    const before = await still(pool);
    for (const [line, path] of [
      ['start v --prepare', 'v-precache.img'],
      ['import v --begin --size 1M', 'v-import.img'],
    ] as const) {
      const { code, stderr } = await pool.try(...line.split(' '));
      expect([line, code, stderr]).toEqual([
        line,
        3,
        expect.stringContaining(`${pool.file(path)} is not a regular file`),
      ]);
    }
    expect(await still(pool)).toEqual(before);
    for (const line of ['start v', 'stop v', 'revert v']) await pool.say(...line.split(' '));
    const removed = await pool.try('remove', 'v', '--confirm=v');
    expect([removed.code, removed.stderr]).toEqual([
      0,
      expect.stringMatching(/v-import.img is not ours.*v-precache.img is not ours/s),
    ]);
    expect([await pool.files(), await readFile(pool.file('target'), 'utf8')]).toEqual([
      ['target', 'v-precache.img'],
      'precious',
    ]);
  });

  it('says which package a missing program comes from', async () => {
    await using folder = await mounted('xfs');
    const pool = await withVolume(folder.path);
    await succeed(['cp', '-a', '/usr/sbin', join(folder.path, 'sbin')]);
    /** Our verb where one program is another, or (of no content) is not there, in a mount namespace of its own. */
    const without = async (program: string, content: string, line: string) => {
      const bin = join(folder.path, `without-${program}`);
      await mkdir(bin);
      const sbin = `${bin}-sbin`;
      await succeed(['cp', '-al', join(folder.path, 'sbin'), sbin]);
      const hide = [`rm -f ${bin}/${program} ${sbin}/${program}`, `mount --bind ${sbin} /usr/sbin`];
      const elsewhere = `PATH=$(echo "$PATH" | tr : '\n' | grep -vxE '(/usr)?/s?bin' | paste -sd: -):${bin}`;
      const cover =
        content === '' ? [] : [`printf '#!/bin/sh\n%s\n' '${content}' > ${bin}/${program}; chmod +x ${bin}/*`];
      const steps = [`ln -s /usr/bin/* ${bin}`, ...hide, ...cover, elsewhere, `exec reflink-pool ${line}`];
      return run(['unshare', '-m', 'sh', '-c', steps.join('; ')], { env: pool.env });
    };
    for (const [program, content, line, from] of [
      ['cp', 'echo "cp: unrecognized option --reflink=always" >&2; exit 1', 'start v', 'coreutils'],
      ['xfs_io', '', 'start v', 'xfsprogs'],
      ['filefrag', '', 'diff v', 'e2fsprogs'],
      ['flock', '', 'stop v', 'util-linux'],
      ['setpriv', '', 'start v', 'util-linux'],
    ] as const) {
      const { code, stderr } = await without(program, content, line);
      expect([program, code, stderr]).toEqual([program, 6, expect.stringContaining(`apt-get install ${from}`)]);
    }
    expect(await pool.files()).toEqual(['v.img', 'v.img.1']);
  });
});

needs(
  'root',
  'loop',
  'btrfs',
)('a pool in a btrfs directory without copy-on-write', () => {
  it('works; what was made with it cannot share with what was not', async () => {
    await using folder = await mounted('btrfs');
    const path = join(folder.path, 'pool');
    await mkdir(path);
    await succeed(['chattr', '+C', path]);
    const pool = new TestPool(folder.path);
    await pool.say('init', '--reserve', '0');
    await pool.say('create', 'v', '--size', '1M');
    expect((await pool.tell('start', 'v'))[0]).toMatchObject({ method: 'reflink' });
    await pool.write('v-dirty.img', 0, 'guest');
    expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'committed', savedAs: 1 });
    expect((await pool.tell('revert', 'v'))[0]).toMatchObject({ outcome: 'reverted' });
    const raw = join(folder.path, 'usual.raw');
    await writeFile(raw, Buffer.alloc(2 ** 20, 'x'));
    expect((await pool.tell('import', 'w', raw, '--create'))[0]).toMatchObject({ method: 'copy' });
    const shared = await pool.try('import', 'x', raw, '--create', '--share');
    expect([shared.code, shared.stderr]).toEqual([6, expect.stringContaining('Invalid argument')]);
    await succeed(['cp', raw, pool.file('usual')]);
    await succeed(['chattr', '-C', path]);
    await pool.say('create', 'y', '--size', '1M');
    await succeed(['chattr', '+C', path]);
    const mixed = await pool.try('start', 'y');
    expect([mixed.code, mixed.stderr]).toEqual([6, expect.stringContaining('cannot be cloned')]);
    expect((await pool.tell('show', 'y'))[0]).toMatchObject({ state: 'stopped' });
  });
});

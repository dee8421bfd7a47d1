import { readFile, rename, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { resized } from '../src/records/copy.ts';
import { TestPool } from './pool.ts';

const MiB = 2 ** 20;
const deviceSize = async (device: string) => Number(await succeed(['blockdev', '--getsize64', device]));

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a resize on ${filesystem}`, () => {
    /** A pool with the volume v of 1 MiB that begins and ends with some text. */
    async function filled(path: string): Promise<TestPool> {
      const pool = await TestPool.at(path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 'v', '--size', '1M');
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, 'begin');
      await pool.write('v-dirty.img', MiB - 3, 'end');
      await pool.say('stop', 'v', '--no-prepare');
      return pool;
    }

    const sizeOf = async (pool: TestPool, name: string) => (await stat(pool.file(name))).size;

    it('of a stopped volume makes it larger or smaller, and is undone by a revert', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const original = await pool.digest('v.img');
      const [larger] = await pool.tell('resize', 'v', '3M');
      expect(resized.parse(larger)).toMatchObject({ from: MiB, to: 3 * MiB, savedAs: 2, loops: [] });
      const { size, mode } = await stat(pool.file('v.img'));
      expect([size, mode & 0o777]).toEqual([3 * MiB, 0o400]);
      expect((await readFile(pool.file('v.img'))).subarray(0, MiB + 1).toString('latin1')).toMatch(/^begin\0+end\0$/);
      expect((await pool.tell('resize', 'v', '3M'))[0]).toMatchObject({ from: 3 * MiB, to: 3 * MiB, savedAs: null });
      for (const flags of [[], ['--allow-shrink'], ['--confirm=v']])
        expect((await pool.try('resize', 'v', '512K', ...flags)).code).toBe(3);
      await pool.say('resize', 'v', '512K', '--allow-shrink', '--confirm=v');
      expect((await readFile(pool.file('v.img'), 'latin1')).length).toBe(MiB / 2);
      await pool.say('revert', 'v@2');
      expect(await pool.digest('v.img')).toBe(original);
      await pool.say('start', 'v');
      expect(await sizeOf(pool, 'v-dirty.img')).toBe(MiB);
    });

    it('keeps what it cuts off where no history is kept, and no name where it cuts off nothing', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 'v', '--size', '1M', '--policy', 'min=none');
      await pool.say('start', 'v');
      await pool.say('stop', 'v');
      expect(await pool.files()).toEqual(['v-precache.img', 'v.img']);
      await pool.say('resize', 'v', '2M');
      expect(await pool.files()).toEqual(['v.img']);
      await pool.say('resize', 'v', '1M', '--allow-shrink', '--confirm=v');
      expect(await pool.files()).toEqual(['v.img', 'v.img.1']);
      expect(await sizeOf(pool, `v.img`)).toBe(MiB);
    });

    it('of a started volume is seen by the loop devices over that very file, by whatever name, and by no other', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      const path = pool.file('v-dirty.img');
      await pool.say('start', 'v');
      await symlink(path, join(folder.path, 'link'));
      await rename(path, `${path}.away`);
      await using renamed = await attach(`${path}.away`);
      await rename(`${path}.away`, path);
      await using linked = await attach(join(folder.path, 'link'));
      const foreign = join(folder.path, 'v-dirty.img');
      await writeFile(foreign, '');
      await truncate(foreign, MiB);
      await using other = await attach(foreign);
      await truncate(foreign, 4 * MiB);
      const [record] = await pool.tell('resize', 'v', '2M');
      const ours = [renamed, linked].map(({ device }) => ({ name: device, refreshed: true }));
      expect(resized.parse(record)).toMatchObject({ from: MiB, to: 2 * MiB, savedAs: null });
      expect(resized.parse(record).loops.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
        ours.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      );
      const sizes = await Promise.all([renamed, linked, other].map(({ device }) => deviceSize(device)));
      expect(sizes).toEqual([2 * MiB, 2 * MiB, MiB]);
      expect(await sizeOf(pool, 'v.img')).toBe(MiB);
      expect((await pool.try('resize', 'v', '1M', '--allow-shrink', '--confirm=v')).code).toBe(3);
      expect(await succeed(['dd', `if=${linked.device}`, 'bs=5', 'count=1', 'status=none'])).toBe('begin');
    });

    it('is partial where a loop device cannot be told, and done once it is', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      await pool.say('start', 'v');
      await using loop = await attach(pool.file('v-dirty.img'));
      const pod = `mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec reflink-pool resize v 2M -o json`;
      const inside = await run(['unshare', '--mount', 'sh', '-e', '-c', pod], { env: pool.env });
      expect([inside.code, inside.stderr]).toEqual([7, expect.stringContaining(`losetup -c ${loop.device}`)]);
      expect(JSON.parse(inside.stdout)).toMatchObject({
        to: 2 * MiB,
        loops: [{ name: loop.device, refreshed: false }],
      });
      expect([await sizeOf(pool, 'v-dirty.img'), await deviceSize(loop.device)]).toEqual([2 * MiB, MiB]);
      expect((await pool.tell('resize', 'v', '2M'))[0]).toMatchObject({ loops: [{ refreshed: true }] });
      expect(await deviceSize(loop.device)).toBe(2 * MiB);
    });

    it('of a volatile volume is what its next start makes, or what it is grown to', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 't', '--kind', 'volatile', '--size', '1M');
      await pool.say('resize', 't', '2M');
      await pool.say('start', 't');
      expect(await sizeOf(pool, 't-dirty.img')).toBe(2 * MiB);
      expect((await pool.try('resize', 't', '3M')).stderr).toContain(`block_resize DRIVE ${3 * MiB}B`);
      await pool.say('stop', 't');
      await pool.say('start', 't');
      expect(await sizeOf(pool, 't-dirty.img')).toBe(3 * MiB);
    });

    it('does in a shell what its dry run prints', async () => {
      await using folder = await mounted(filesystem);
      const pool = await filled(folder.path);
      await pool.say('clone', 'v', 'w');
      await pool.say('start', 'w');
      await using loop = await attach(pool.file('w-dirty.img'));
      for (const name of ['v', 'w']) {
        const before = await tree(pool.path);
        const lines = await pool.say('resize', name, '2M', '-n');
        expect(await tree(pool.path)).toEqual(before);
        await succeed(['sh', '-e', '-c', lines]);
        const again = await pool.tell('resize', name, '2M');
        expect(again[0]).toMatchObject({ from: 2 * MiB, to: 2 * MiB });
      }
      expect([await sizeOf(pool, 'v.img'), await deviceSize(loop.device)]).toEqual([2 * MiB, 2 * MiB]);
      expect(await pool.files()).toEqual(['v.img', 'v.img.1', 'v.img.2', 'w-dirty.img', 'w.img']);
    });
  });

import { copyFile, mkdir, open, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { attach, detach, loops, loopsIn } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { labelAt } from '../src/images.ts';
import { newPvUuid } from '../src/pv-uuid.ts';
import { Site } from './site.ts';

needs(
  'root',
  'loop',
  'lvm',
  'xfs',
)('an image', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.on('xfs');
    await site.apply({ d0: 64, d1: 64 });
  });
  afterEach(() => site[Symbol.asyncDispose]());

  const tries = async () => [(await site.attach()).code, (await site.apply({ d0: 64, d1: 64 })).code];

  it('that was renamed or replaced by its own copy is refused', async () => {
    await site.lvmLoop('detach', site.group);
    const [image, copy] = [site.image('d0'), `${site.root}/copy`];
    await rename(image, copy);
    expect(await tries()).toEqual([5, 5]);
    await copyFile(copy, image);
    expect(await tries()).toEqual([3, 3]);
    await rename(copy, image);
    expect(await tries()).toEqual([0, 0]);
  });

  it('that was copied with its sidecar into another directory is refused there, and the original is not touched', async () => {
    await site.lvmLoop('detach', site.group);
    await mkdir(`${site.root}/other`);
    for (const file of ['d0', 'd1'])
      for (const end of ['', '.lvm-loop.json'])
        await copyFile(site.image(file) + end, join(site.root, 'other', `${site.group}.${file}.img${end}`));
    expect(await site.lvmLoop('attach', '--dir', `${site.root}/other`, site.group)).toMatchObject({ code: 3 });
    expect(await site.loops()).toHaveLength(0);
  });

  it('that was deleted under its loop is never made again', async () => {
    await rm(site.image('d0'));
    expect(await tries()).toEqual([5, 5]);
    expect(await site.lvmLoop('detach', site.group)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('the only copy'),
    });
    expect((await loopsIn(site.root)).filter(({ path }) => path.endsWith('(deleted)'))).toHaveLength(1);
  });

  it('that is shorter than its PV is neither attached nor written', async () => {
    await site.lvmLoop('detach', site.group);
    await truncate(site.image('d0'), 32 * 2 ** 20);
    const before = await readFile(site.image('d0'));
    expect(await tries()).toEqual([5, 5]);
    expect((await readFile(site.image('d0'))).equals(before)).toBe(true);
    expect(await site.loops()).toHaveLength(1);
  });

  it('from another moment than its group is not written by LVM', async () => {
    await site.lvmLoop('detach', site.group);
    const old = await readFile(site.image('d0'));
    await site.attach();
    for (const name of ['a', 'b', 'c'])
      await site.lvm(['lvcreate', '-an', '-Zn', '-Wn', '-L', '4M', '-n', name, site.group]);
    await site.lvmLoop('detach', site.group);
    const file = await open(site.image('d0'), 'r+');
    await file.write(old, 0, old.length, 0);
    await file.close();
    const before = [await readFile(site.image('d0')), await readFile(site.image('d1'))] as const;
    const { code, stderr } = await site.attach();
    expect([code, stderr]).toEqual([5, expect.stringContaining('different moments')]);
    await site.lvmLoop('detach', site.group);
    expect((await readFile(site.image('d0'))).equals(before[0])).toBe(true);
    expect((await readFile(site.image('d1'))).equals(before[1])).toBe(true);
  });

  it('that is gone with all the others leaves nothing after remove', async () => {
    await site.lvmLoop('detach', site.group);
    for (const file of ['d0', 'd1']) await rm(site.image(file));
    expect(await site.lvmLoop('remove', site.group, `--confirm=${site.group}`)).toMatchObject({ code: 0 });
    expect(await readdir(site.root)).toEqual([]);
  });

  it('of ours is told from its copy and from others by inode', async () => {
    await copyFile(site.image('d0'), `${site.root}/copy`);
    await writeFile(`${site.root}/other`, Buffer.alloc(2 ** 20));
    await using copy = await attach(`${site.root}/copy`);
    await using other = await attach(`${site.root}/other`);
    const { stdout } = await site.lvmLoop('list', '--all', '-o', 'json');
    const owners = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ kind, backFile }) => kind === 'LoopDevice' && String(backFile).includes(site.root))
      .map(({ device, owner }) => [device, owner]);
    expect(Object.fromEntries(owners)).toMatchObject({ [copy.device]: 'copy-of-ours', [other.device]: 'foreign' });
    expect(owners.filter(([, owner]) => owner === 'ours')).toHaveLength(2);
    expect(await site.apply({ d0: 96, d1: 64, d2: 64 })).toMatchObject({ code: 0 });
  });
});

needs(
  'root',
  'loop',
  'lvm',
  'xfs',
)('a loop', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.on('xfs');
    await site.apply({ d0: 64 });
  });
  afterEach(() => site[Symbol.asyncDispose]());
  const device = async () => String((await site.loops())[0]?.device);

  it('in use is not about to go after detach', async () => {
    const held = await open(await device());
    expect(await site.lvmLoop('detach', site.group)).toMatchObject({ code: 4 });
    expect(await succeed(['losetup', '-n', '-O', 'AUTOCLEAR', await device()])).toMatch(/^ *0\n$/);
    await held.close();
    expect(await site.lvmLoop('detach', site.group)).toMatchObject({ code: 0 });
    expect(await site.loops()).toEqual([]);
  });

  it('that is about to go stays after attach, as the same device', async () => {
    const [before, held] = [await device(), await open(await device())];
    await succeed(['losetup', '-d', before]);
    expect(await site.attach()).toMatchObject({ code: 0 });
    await held.close();
    expect(await device()).toBe(before);
  });

  it('twice on one image is refused', async () => {
    const second = (await succeed(['losetup', '--find', '--show', site.image('d0')])).trim();
    expect(await site.attach()).toMatchObject({ code: 3, stderr: expect.stringContaining(second) });
    await detach((await loops()).filter((loop) => loop.device === second));
    expect(await site.attach()).toMatchObject({ code: 0 });
  });
});

needs(
  'root',
  'loop',
  'lvm',
  'xfs',
)('a new group', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.on('xfs');
  });
  afterEach(() => site[Symbol.asyncDispose]());

  it('does not take the name of a VG that is not ours, and does not write to it', async () => {
    await writeFile(`${site.root}/theirs`, '');
    await truncate(`${site.root}/theirs`, 64 * 2 ** 20);
    await using theirs = await attach(`${site.root}/theirs`);
    await mkdir(`${site.root}/.lvm-loop`);
    await site.lvm(['vgcreate', site.group, theirs.device], [theirs.device]);
    const before = await readFile(`${site.root}/theirs`);
    expect(await site.apply({ d0: 64 })).toMatchObject({ code: 3, stderr: expect.stringContaining('there is a VG') });
    expect(await site.lvmLoop('attach', '--all')).toMatchObject({ code: 0, stdout: '' });
    expect(await site.lvmLoop('remove', site.group, `--confirm=${site.group}`)).toMatchObject({ code: 0 });
    expect((await readFile(`${site.root}/theirs`)).equals(before)).toBe(true);
  });

  it('does not take a name that /dev has', async () => {
    expect(await site.apply({ d0: 64 }, '--vg', 'shm')).toMatchObject({ code: 3 });
    expect(await readdir(site.root)).toEqual([]);
  });

  it('does not wipe a filesystem that somebody put into its image meanwhile', async () => {
    const fault = { PLATTER_LVM_LOOP_DIRS: site.root, PLATTER_FAULT: 'kill@12' };
    const tool = join(import.meta.dirname, '../dist/cli.mjs');
    const words = ['apply', site.group, '--file', 'd0=64Mi', '--reserve', '0%,0'];
    await run([process.execPath, tool, ...words], { env: fault });
    const [image] = (await readdir(site.root)).filter((name) => name.includes('.img') && !name.endsWith('.json'));
    await succeed(['mkfs.ext4', '-q', '-F', join(site.root, String(image))]);
    expect(await site.apply({ d0: 64 })).toMatchObject({ code: 1, stderr: expect.stringContaining('lvm pvcreate') });
    const [left] = (await readdir(site.root)).filter((name) => name.endsWith('.img') || name.endsWith('.creating'));
    expect(await succeed(['blkid', '-p', '-o', 'value', '-s', 'TYPE', join(site.root, String(left))])).toBe('ext4\n');
  });
});

needs(
  'root',
  'loop',
  'lvm',
)('a PV label', () => {
  it('is read as LVM reads it', async () => {
    await using folder = await tempFolder();
    for (let count = 0; count < 12; count += 1) {
      const file = join(folder.path, `${count}`);
      await writeFile(file, '');
      await truncate(file, 8 * 2 ** 20);
      await using loop = await attach(file);
      const uuid = newPvUuid((length) => crypto.getRandomValues(new Uint8Array(length)));
      const sector = ['--labelsector', String(count % 4)];
      const scope = ['--config', 'devices{use_devicesfile=0}', '--devices', loop.device, '--driverloaded', 'n'];
      await succeed(['lvm', 'pvcreate', ...scope, ...sector, '--uuid', uuid, '--norestorefile', loop.device]);
      expect(await labelAt(local(), file)).toEqual({ uuid });
    }
  });
});

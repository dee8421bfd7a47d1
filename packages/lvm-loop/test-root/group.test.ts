import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { read, Site } from './site.ts';

const MiB = 2 ** 20;

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const) {
  needs(
    'root',
    'loop',
    'lvm',
    filesystem,
  )(`a group on ${filesystem}`, () => {
    let site: Site;
    beforeEach(async () => {
      site = await Site.on(filesystem);
    });
    afterEach(() => site[Symbol.asyncDispose]());

    it('is made once, comes back after a restart with its UUIDs, grows, and goes without a trace', async () => {
      expect(await site.apply({ d0: 64, d1: 64 })).toMatchObject({ code: 0 });
      const made = await site.record();
      await site.volume('d0', 'canary');
      for (const _ of [1, 2]) {
        const { stdout, code } = await site.apply({ d0: 64, d1: 64 }, '-o', 'json');
        expect([code, JSON.parse(stdout).status.changes]).toEqual([0, []]);
      }

      for (const { device } of await site.loops()) await succeed(['losetup', '-d', device]);
      expect((await site.record()).status.phase).toBe('detached');
      expect(await site.attach()).toMatchObject({ code: 0 });
      const back = await site.record();
      const uuids = ({ status }: typeof made) => [status.vgUuid, ...status.files.map(({ pvUuid }) => pvUuid)];
      expect(uuids(back)).toEqual(uuids(made));
      expect(back.status).toMatchObject({ phase: 'attached', lvCount: 1 });

      expect(await site.apply({ d0: 96, d1: 64, d2: 64 })).toMatchObject({ code: 0 });
      const grown = await site.record();
      expect(grown.status.files.map(({ pvSize }) => Number(pvSize) / MiB)).toEqual([92, 60, 60]);
      expect(uuids(grown).slice(0, 3)).toEqual(uuids(made));
      expect(grown.status.files.map(({ promise }) => promise)).toEqual(['kept', 'kept', 'kept']);
      expect(await read(site.image('d0'), 6, MiB)).toBe('canary');
      const uncopied = filesystem === 'btrfs' ? /^\S*C\S* /m : / /;
      expect(await succeed(['lsattr', site.image('d0')])).toMatch(uncopied);
      await site.lvm(['vgck', site.group]);

      expect(await site.lvmLoop('remove', site.group, `--confirm=${site.group}`)).toMatchObject({ code: 3 });
      const words = ['remove', site.group, `--confirm=${site.group}`, '--with-volumes'];
      expect(await site.lvmLoop(...words)).toMatchObject({ code: 0 });
      expect(await site.lvmLoop(...words)).toMatchObject({ code: 0, stderr: `${site.group} is already gone\n` });
      expect((await readdir(site.root)).filter((name) => name !== 'lost+found')).toEqual([]);
      expect(await site.loops()).toEqual([]);
    });

    it('is refused beyond the free space, and leaves no trace of it', async () => {
      const before = await succeed(['df', '--output=used', site.root]);
      const { code, stderr } = await site.apply({ d0: 4096 });
      expect([code, stderr]).toEqual([3, expect.stringMatching(/will not allocate 4 GiB .*\n {2}short by {2}3\./)]);
      expect((await readdir(site.root)).filter((name) => name !== 'lost+found')).toEqual([]);
      expect(await succeed(['df', '--output=used', site.root])).toBe(before);
    });
  });
}

needs(
  'root',
  'loop',
  'lvm',
  'xfs',
)('a group', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.on('xfs');
  });
  afterEach(() => site[Symbol.asyncDispose]());

  it('is on one loop per image, however many attach it at once', async () => {
    await site.apply({ d0: 64, d1: 64 });
    await site.lvmLoop('detach', site.group);
    const runs = await Promise.all(Array.from({ length: 8 }, () => site.attach()));
    expect(runs.map(({ code }) => code)).toEqual(Array.from({ length: 8 }, () => 0));
    const loops = await site.loops();
    expect(loops).toHaveLength(2);
    expect(new Set(loops.map(({ backing }) => backing)).size).toBe(2);
  });

  it('is not changed by applying what list says of it', async () => {
    await site.apply({ d0: 64, d1: 64 }, '--extent-size', '8Mi');
    const { stdout } = await site.lvmLoop('list', '-o', 'json');
    const spec = `${site.root}/spec.yaml`;
    await writeFile(spec, stdout);
    const applied = await site.lvmLoop('apply', '-f', spec, '--reserve', '0%,0', '-o', 'json');
    expect([applied.code, JSON.parse(applied.stdout).status.changes]).toEqual([0, []]);
  });

  it('keeps its sector size, and takes no other', async () => {
    await site.apply({ d0: 64 }, '--sector-size', '4096');
    await site.lvmLoop('detach', site.group);
    await site.attach();
    const [loop] = await site.loops();
    expect(await succeed(['blockdev', '--getss', String(loop?.device)])).toBe('4096\n');
    expect(await site.apply({ d0: 64 }, '--sector-size', '512')).toMatchObject({ code: 3 });
    await site.lvmLoop('detach', site.group);
    const by = (await succeed(['losetup', '--find', '--show', '-b', '512', site.image('d0')])).trim();
    expect(await site.attach()).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`served by ${by} with sectors of 512`),
    });
    expect(await site.lvmLoop('detach', site.group)).toMatchObject({ code: 0 });
    expect(await site.attach()).toMatchObject({ code: 0 });
  });

  it('is served in spite of a host that shows LVM no loops', async () => {
    const etc = `${site.root}/etc`;
    await mkdir(`${etc}/devices`, { recursive: true });
    await writeFile(`${etc}/lvm.conf`, 'devices { use_devicesfile=1 global_filter=["r|/dev/loop.*|"] }\n');
    await writeFile(`${etc}/devices/system.devices`, '');
    const tool = `'${process.execPath}' '${join(import.meta.dirname, '../dist/cli.mjs')}'`;
    const apply = `${tool} apply ${site.group} --file d0=64Mi --reserve 0%,0`;
    const script = `mount --bind '${etc}' /etc/lvm && ${apply} && ${tool} detach --all && ${tool} attach --all`;
    const alone = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script];
    expect(await run(alone, { env: { PLATTER_LVM_LOOP_DIRS: site.root } })).toMatchObject({ code: 0 });
    expect((await site.record()).status.phase).toBe('active');
  });

  it('runs its programs where --host-pid says, when the root is the same directory there', async () => {
    expect(await site.apply({ d0: 64 }, '--host-pid', String(process.pid))).toMatchObject({ code: 0 });
    const script = `mount -t tmpfs none '${site.root}' && echo ready && exec sleep 60`;
    const other = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script]);
    await once(other.stdout, 'data');
    const refused = await site.lvmLoop('list', '--host-pid', String(other.pid));
    other.kill('SIGKILL');
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('another directory for the host') });
  });

  it('is made as the lines of a dry run make it', async () => {
    const { stdout } = await site.apply({ d0: 64, 'd-1': 64 }, '--dry-run');
    expect((await readdir(site.root)).length).toBe(0);
    await succeed(['sh', '-e', '-c', stdout]);
    const vg = await site.lvm(['vgs', '--noheadings', '-o', 'vg_name,pv_count,vg_extent_size', '--units', 'm']);
    expect(vg.trim().split(/\s+/)).toEqual([site.group, '2', '4.00m']);
    expect((await readdir(site.root)).sort()).toEqual(['.lvm-loop', `${site.group}.d-1.img`, `${site.group}.d0.img`]);
  });
});

import { output } from '@platter/host/scripted';
import { describe, expect, it } from 'vitest';
import type { Image } from '../src/images.ts';
import { listGroups } from '../src/listing.ts';
import { promiseOf } from '../src/promise.ts';
import { loopDevice, volumeGroup } from '../src/records.ts';
import type { Lv, Vg } from '../src/reports.ts';
import { poolWords } from '../src/thin.ts';
import { volumeGroupOf } from '../src/volume-group.ts';
import { Scene } from './scene.ts';

const programs = (lines: readonly string[]) =>
  lines
    .filter((line) => /^(env|losetup|fallocate|rm -r)/.test(line))
    .map(
      (line) =>
        line
          .replace(/^env .* lvm (\S+).*/, 'lvm $1')
          .replace(/ .*\/pool\/.*/, '')
          .split(' --')[0],
    );

describe('apply', () => {
  it('makes a group in the order that a crash can be mended in', async () => {
    using scene = new Scene();
    const lines = await scene.lines(() => scene.apply({ d0: 64 }));
    const short = lines.map((line) => line.replace(/'[^']*'/g, '...'));
    expect(short.filter((line) => !line.startsWith('sync'))).toMatchInlineSnapshot(`
      [
        "mkdir -m 0755 -- /run/platter",
        "mkdir -m 0755 -- /run/platter/lvm-loop",
        "mkdir -m 0700 -- /pool/.lvm-loop",
        "install -m 0600 /dev/null /pool/.g.d0.img.creating",
        "rm -f -- /pool/.g.d0.img.lvm-loop.json.new",
        "install -m 0600 /dev/null /pool/.g.d0.img.lvm-loop.json.new && printf %s ... > /pool/.g.d0.img.lvm-loop.json.new",
        "mv -T -- /pool/.g.d0.img.lvm-loop.json.new /pool/g.d0.img.lvm-loop.json",
        "fallocate -o 0 -l 67108864 -- /pool/.g.d0.img.creating",
        "ln -T -- /pool/.g.d0.img.creating /pool/g.d0.img",
        "rm -f -- /pool/.g.d0.img.creating",
        "losetup --find --nooverlap --show -b 512 -- /pool/g.d0.img",
        "losetup --direct-io=on /dev/loop0",
        "env LVM_SUPPRESS_FD_WARNINGS=1 LVM_SYSTEM_DIR=/pool/.lvm-loop lvm pvcreate --config ... --devices /dev/loop0 --driverloaded n --uuid 19hpxF-NV3b-jrzH-PX5d-ltBJ-RZ71-9hpxFN --norestorefile /dev/loop0",
        "env LVM_SUPPRESS_FD_WARNINGS=1 LVM_SYSTEM_DIR=/pool/.lvm-loop lvm vgcreate --config ... --devices /dev/loop0 --driverloaded n --physicalextentsize 4194304b --setautoactivation n --addtag platter.dev/lvm-loop --addtag platter.dev/group-id=00000000-0000-4000-8000-000000000000 -- g /dev/loop0",
        "rm -f -- /pool/.g.d0.img.lvm-loop.json.new",
        "install -m 0600 /dev/null /pool/.g.d0.img.lvm-loop.json.new && printf %s ... > /pool/.g.d0.img.lvm-loop.json.new",
        "mv -T -- /pool/.g.d0.img.lvm-loop.json.new /pool/g.d0.img.lvm-loop.json",
      ]
    `);
  });

  it('finds nothing to do the second time, with at most 12 programs', async () => {
    using scene = new Scene();
    await scene.apply({ d0: 64, d1: 64 });
    scene.machine.looks = [];
    expect(await scene.lines(() => scene.apply({ d0: 64, d1: 64 }))).toEqual([]);
    const run = scene.machine.looks.filter((look) => !/^(stat|text|list|hold|realpath|space) \//.test(look));
    expect(run.length).toBeLessThanOrEqual(12 - 2);
  });

  it('extends, and grows', async () => {
    using scene = new Scene();
    await scene.apply({ d0: 64 });
    expect(programs(await scene.lines(() => scene.apply({ d0: 96, d1: 64 })))).toMatchInlineSnapshot(`
      [
        "fallocate",
        "losetup -c /dev/loop0",
        "lvm pvresize",
        "fallocate",
        "losetup",
        "losetup",
        "lvm pvcreate",
        "lvm vgextend",
      ]
    `);
    expect(await scene.lines(() => scene.apply({ d0: 96, d1: 64 }))).toEqual([]);
  });
});

describe('list', () => {
  it('runs as many programs with 150 loops of others as with none', async () => {
    using scene = new Scene();
    await scene.apply({ d0: 64, d1: 64 });
    const looks = async () => {
      scene.machine.looks = [];
      await listGroups(scene.session(), false);
      return scene.machine.looks.length;
    };
    const before = await looks();
    scene.machine.put('/pool/foreign', 1024);
    const node = scene.machine.node('/pool/foreign');
    for (let minor = 100; minor < 250; minor += 1)
      scene.machine.loops.set(`/dev/loop${minor}`, {
        ...{ node, path: '/x', size: 1024, directIO: false, sectorSize: 512, autoclear: false },
      });
    expect(await looks()).toBe(before);
  });

  it('gives records that applying changes nothing by, and that keep their schema', async () => {
    using scene = new Scene();
    await scene.apply({ d0: 64, d1: 64 });
    await listGroups(scene.session(), true);
    const records = scene.records.splice(-3);
    expect(records.map(({ kind }) => kind)).toEqual(['VolumeGroup', 'LoopDevice', 'LoopDevice']);
    expect(volumeGroup.parse(records[0])).toEqual(records[0]);
    expect(loopDevice.parse(records[1])).toEqual(records[1]);
    const spec = { ...volumeGroupOf(records[0]), reserve: { percent: 0, floor: 0 } };
    expect(await scene.lines(() => scene.apply({}, spec))).toEqual([]);
  });

  it('says of a group it could not read that it is unknown', async () => {
    using scene = new Scene();
    await scene.apply({ d0: 64 });
    scene.machine.onLook = (name) => (name.includes(' pvs ') ? output({ code: null }) : undefined);
    await expect(listGroups(scene.session(), false)).rejects.toMatchObject({ kind: 'partial' });
    expect(scene.records.at(-1)).toMatchObject({ status: { phase: 'unknown', vgUuid: null } });
  });
});

describe('the phase of a group', () => {
  it.for<[string, (scene: Scene) => unknown, string]>([
    ['complete, without a volume', () => {}, 'active'],
    [
      'with a volume that nobody knows to be active',
      ({ machine }) => [...machine.vgs.values()][0]?.lvs.push('a'),
      'attached',
    ],
    ['without loops', ({ machine }) => machine.loops.clear(), 'detached'],
    ['without one of its loops', ({ machine }) => machine.loops.delete('/dev/loop0'), 'partial'],
    ['being made', (scene) => ['d0', 'd1'].map((file) => scene.edit(file, { phase: 'creating' })), 'creating'],
    ['being extended', (scene) => scene.edit('d1', { phase: 'creating' }), 'active'],
    ['being removed', (scene) => scene.edit('d1', { phase: 'removing' }), 'removing'],
    ['being cloned', (scene) => scene.edit('d1', { phase: 'cloning' }), 'cloning'],
  ])('%s', async ([, change, phase]) => {
    using scene = new Scene();
    await scene.apply({ d0: 64, d1: 64 });
    change(scene);
    await listGroups(scene.session(), false);
    expect(scene.records.at(-1)).toMatchObject({ status: { phase } });
  });
});

describe('what is shown of a promise', () => {
  const image = (allocation: 'full' | 'sparse' | 'trimmed', allocated: number) =>
    ({ sidecar: { allocation, size: 100 }, file: { allocated } }) as Pick<Image, 'sidecar' | 'file'>;
  it.for([
    [image('full', 100), null, 'kept'],
    [image('full', 99), null, 'broken'],
    [image('full', 100), 4096, 'broken'],
    [image('full', 100), 0, 'kept'],
    [image('trimmed', 1), null, 'trimmed'],
    [image('sparse', 1), null, 'none'],
    [{ ...image('full', 0), file: null }, null, 'unknown'],
  ] as const)('%j with %j shared', ([seen, shared, promise]) => {
    expect(promiseOf(seen, shared)).toBe(promise);
  });
});

describe('a thin pool', () => {
  const vg = { name: 'g', free: 10 } as Vg;
  const lv = { name: 'thin', size: 100 } as Lv;
  it.for([
    [undefined, { percent: 50 }, ['lvcreate', '--type', 'thin-pool', '-n', 'thin', '-l', '50%VG', 'g']],
    [undefined, { percent: 100 }, ['lvcreate', '--type', 'thin-pool', '-n', 'thin', '-l', '100%FREE', 'g']],
    [undefined, { bytes: 200 }, ['lvcreate', '--type', 'thin-pool', '-n', 'thin', '-L', '200b', 'g']],
    [lv, { bytes: 200 }, ['lvextend', '-L', '200b', 'g/thin']],
    [lv, { bytes: 50 }, null],
    [lv, { percent: 50 }, null],
    [lv, { percent: 100 }, ['lvextend', '-l', '+100%FREE', 'g/thin']],
  ] as const)('%j as %j', ([has, size, words]) => {
    expect(poolWords(vg, has, { name: 'thin', size })).toEqual(words);
  });
});

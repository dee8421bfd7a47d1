import { describe, expect, it } from 'vitest';
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

import { Failure } from '@platter/host/failure';
import { output } from '@platter/host/scripted';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { orphaned } from '../src/remove.ts';
import type { Machine } from './machine.ts';
import { Scene } from './scene.ts';

const MiB = 2 ** 20;
let scene: Scene;
let machine: Machine;

beforeEach(async () => {
  scene = new Scene();
  ({ machine } = scene);
  await scene.apply({ d0: 64, d1: 64 });
});
afterEach(() => scene[Symbol.dispose]());

const vg = () => [...machine.vgs.values()][0] as NonNullable<ReturnType<Machine['vgs']['get']>>;
const again = () => scene.apply({ d0: 64, d1: 64 });
const image = () => machine.node('/pool/g.d0.img');

/** Where each state must be refused: apply and attach, and with what. */
const states: Record<string, [spoil: () => unknown, kind: string]> = {
  'sidecar unreadable': [() => (machine.node('/pool/g.d0.img.lvm-loop.json').text = '{'), 'corrupt'],
  'sidecar of an unknown version': [() => scene.edit('d0', { apiVersion: 'platter.dev/v2' }), 'corrupt'],
  removing: [() => scene.edit('d0', { phase: 'removing' }), 'refused'],
  cloning: [() => scene.edit('d0', { phase: 'cloning' }), 'refused'],
  'deleted under a live loop': [() => machine.nodes.delete('/pool/g.d0.img'), 'corrupt'],
  missing: [
    () => {
      machine.loops.delete('/dev/loop0');
      machine.nodes.delete('/pool/g.d0.img');
    },
    'corrupt',
  ],
  'replaced by another file': [() => machine.put('/pool/g.d0.img', 64 * MiB), 'refused'],
  'recorded elsewhere': [() => scene.edit('d0', { path: '/pool/other.img' }), 'refused'],
  'born at another time': [() => scene.edit('d0', { birthNs: '1' }), 'refused'],
  'on another filesystem': [() => scene.edit('d0', { fsUuid: 'other' }), 'refused'],
  truncated: [() => (image().size = 32 * MiB), 'corrupt'],
  unlabelled: [() => (image().label = null), 'corrupt'],
  'labelled as another PV': [() => (image().label = 'zzzzzz-bbbb-cccc-dddd-eeee-ffff-gggggg'), 'refused'],
  'on two loops': [() => machine.loops.set('/dev/loop9', { ...loop() }), 'refused'],
  'on a loop of other sectors': [() => (loop().sectorSize = 4096), 'refused'],
  'of another VG': [() => scene.edit('d0', { vgUuid: 'zzzzzz-bbbb-cccc-dddd-eeee-ffff-gggggg' }), 'refused'],
  'a PV is not there': [() => vg().extents.set('zzzzzz', 3), 'corrupt'],
  'a PV is smaller than it says': [() => vg().extents.set(String(scene.sidecar('d0').pvUuid), 99), 'corrupt'],
  'the VG is gone': [
    () => {
      machine.vgs.clear();
      for (const name of ['d0', 'd1']) machine.node(`/pool/g.${name}.img`).vg = null;
    },
    'corrupt',
  ],
};
const loop = () => machine.loops.get('/dev/loop0') as NonNullable<ReturnType<Machine['loops']['get']>>;

describe('a group that is wrong is refused, and nothing is changed', () => {
  it.for(Object.entries(states))('%s', async ([, [spoil, kind]]) => {
    spoil();
    expect(await scene.refused(again)).toMatchObject({ kind });
    expect(await scene.refused(() => scene.attach())).toMatchObject({ kind });
  });

  it('is not refused when it is right', async () => {
    await again();
    await scene.attach();
  });

  it('reads images that are more than one write apart as from different moments', async () => {
    machine.onLook = (name) => {
      const [, device] = /--devices (\/dev\/loop\d) .*vg_name,vg_seqno /.exec(name) ?? [];
      if (device === undefined) return undefined;
      return output({
        report: JSON.stringify({ report: [{ vg: [{ vg_name: 'g', vg_seqno: device === '/dev/loop0' ? '7' : '5' }] }] }),
      });
    };
    expect(await scene.refused(again)).toMatchObject({ kind: 'corrupt', message: /different moments/ });
    expect(await scene.refused(() => scene.attach())).toMatchObject({ kind: 'corrupt' });
  });
});

describe('what is asked for is refused, and nothing is changed', () => {
  it.for([
    ['another VG name', () => scene.apply({ d0: 64, d1: 64 }, { vgName: 'other' }), 'refused'],
    ['other sectors', () => scene.apply({ d0: 64, d1: 64 }, { sectorSize: 4096 }), 'refused'],
    ['other extents', () => scene.apply({ d0: 64, d1: 64 }, { extentSize: 8 * MiB }), 'refused'],
    [
      'a thin pool without device-mapper',
      () => scene.apply({ d0: 64 }, { thinPools: [{ name: 't', size: { percent: 50 } }] }),
      'unsupported',
    ],
    ['a group that is not there, to attach', () => scene.attach('h'), 'refused'],
    [
      'volumes that nobody gave up',
      () => {
        vg().lvs.push('data');
        return scene.remove('g');
      },
      'refused',
    ],
    [
      'a file in use',
      () => {
        vg().allocated.set(String(scene.sidecar('d0').pvUuid), 2);
        return scene.remove('g/d0');
      },
      'refused',
    ],
    [
      'a group with a PV missing',
      () => {
        vg().extents.set('zzzzzz', 3);
        return scene.remove('g', true);
      },
      'corrupt',
    ],
    [
      'a group whose VG is another',
      () => {
        scene.edit('d0', { vgUuid: 'zzzzzz-bbbb-cccc-dddd-eeee-ffff-gggggg' });
        return scene.remove('g', true);
      },
      'refused',
    ],
  ] as const)('%s', async ([, work, kind]) => {
    expect(await scene.refused(work)).toMatchObject({ kind });
  });

  it('less than there is', async () => {
    const { failure, drift } = await scene.apply(
      {},
      { files: [{ name: 'd0', size: 60 * MiB, directory: null, fsUuid: null }] },
    );
    expect(failure).toMatchObject({ kind: 'refused' });
    expect(drift.map(({ object, kind }) => [object, kind])).toEqual([
      ['d0', 'smaller-in-spec'],
      ['d1', 'not-in-spec'],
    ]);
  });

  it('the last file of a group', async () => {
    await scene.remove('g/d1');
    expect(await scene.refused(() => scene.remove('g/d0'))).toMatchObject({ kind: 'refused' });
  });
});

describe('a new group is refused, and nothing is changed', () => {
  const make = (name = 'n', files = { d0: 64 }) => scene.apply(files, { name });
  it.for([
    ["its VG name is the host's", () => machine.foreign.push('n'), 'refused'],
    ["its VG name is another group's", () => scene.edit('d0', { vgName: 'n' }), 'refused'],
    ['its VG name is in /dev', () => machine.put('/dev/n', 0), 'refused'],
    ['the name of its image is taken', () => machine.put('/pool/n.d0.img', 5), 'refused'],
    ['a temporary of somebody else is there', () => machine.put('/pool/.n.d0.img.creating', 5), 'refused'],
    ['there is no room', () => (machine.free = 32 * MiB), 'refused'],
    ['nobody can tell the VGs', () => (machine.onLook = unscoped(output({ code: null }))), 'failed'],
    ['the VGs are told in no JSON', () => (machine.onLook = unscoped(output({ report: '{"report": [' }))), 'failed'],
    [
      'nobody can tell the loops',
      () => (machine.onLook = (name) => (name.startsWith('losetup -J') ? output({ code: 1 }) : undefined)),
      'failed',
    ],
  ] as const)('%s', async ([, spoil, kind]) => {
    spoil();
    expect(await scene.refused(make)).toMatchObject({ kind });
  });

  it('is made where an empty temporary is left', async () => {
    machine.put('/pool/.n.d0.img.creating', 0);
    expect((await make()).failure).toBeNull();
  });
});

const unscoped = (answer: ReturnType<typeof output>) => (name: string) =>
  name.includes(' vgs ') && !name.includes('--devices') ? answer : undefined;

describe('a change is judged by what is so after it', () => {
  it.for(['pvcreate', 'vgcreate'])('%s complains, and did its work', async (verb) => {
    const group = () => scene.apply({ d0: 64 }, { name: 'n' });
    machine.onChange = (line) => {
      if (!line.includes(` lvm ${verb} `)) return undefined;
      machine.onChange = () => undefined;
      void machine.change({ op: 'run', program: 'lvm', args: words(line) });
      return output({ code: 5, stderr: 'leaked fd' });
    };
    expect((await group()).failure).toBeNull();
    expect(machine.vgs.size).toBe(2);
  });

  it('vgcreate says nothing and did nothing: everything is taken back', async () => {
    machine.onChange = (line) => (line.includes(' lvm vgcreate ') ? output({}) : undefined);
    await expect(scene.apply({ d0: 64 }, { name: 'n' })).rejects.toMatchObject({ kind: 'failed', message: /in no VG/ });
    expect([...machine.nodes.keys()].filter((path) => path.includes('n.d0'))).toEqual([]);
  });

  it('vgcreate fails and nobody can tell what is on the loop: nothing is taken back', async () => {
    machine.onChange = (line) => {
      if (!line.includes(' lvm vgcreate ')) return undefined;
      machine.onLook = (name) => (name.includes(' pvs ') ? output({ code: null }) : undefined);
      return output({ code: 5 });
    };
    await expect(scene.apply({ d0: 64 }, { name: 'n' })).rejects.toThrow(Failure);
    expect(machine.nodes.has('/pool/n.d0.img')).toBe(true);
    expect(machine.loops.size).toBe(3);
  });

  it('losetup complains, but the inode is on a loop', async () => {
    await scene.detach();
    machine.onChange = (line) => {
      if (!line.startsWith('losetup --find')) return undefined;
      machine.onChange = () => undefined;
      void machine.change({ op: 'run', program: 'losetup', args: words(line) });
      return output({ code: 1 });
    };
    await scene.attach();
    expect(machine.loops.size).toBe(2);
  });

  it('direct I/O that is not to be had is only told', async () => {
    await scene.detach();
    machine.onChange = (line) => (line.startsWith('losetup --direct-io') ? output({ code: 1 }) : undefined);
    await scene.attach();
    expect(scene.said.join()).toMatch(/direct-io stays off/);
  });
});

/** The words of a program in a line without quoted blanks that matter here. */
const words = (line: string) =>
  line
    .replace(/^env .*? lvm /, 'lvm ')
    .replace(/--config '[^']*'/, '--config x')
    .split(' ')
    .slice(1);

describe('an existing group', () => {
  it('gets the file that fits when another does not', async () => {
    machine.free = 100 * MiB;
    const { failure } = await scene.apply({ d0: 64, d1: 64, d2: 128, d3: 64 });
    expect(failure).toMatchObject({ kind: 'partial' });
    expect(machine.nodes.has('/pool/g.d3.img')).toBe(true);
    expect(machine.nodes.has('/pool/g.d2.img')).toBe(false);
  });

  it('ends as the one file that was asked for', async () => {
    machine.free = 32 * MiB;
    expect((await scene.apply({ d0: 64, d1: 64, d2: 128 })).failure).toMatchObject({ kind: 'refused' });
  });

  it('is cut back when a file runs full while it grows', async () => {
    machine.free = 16 * MiB;
    machine.onLook = (name) =>
      name.startsWith('space ') ? ({ free: 900 * MiB, total: 1000 * MiB } as never) : undefined;
    expect((await scene.apply({ d0: 128, d1: 64 })).failure).toMatchObject({
      kind: 'refused',
      message: /no space left/,
    });
    expect(image().size).toBe(64 * MiB);
  });
});

describe('detach', () => {
  it('of a loop in use is undone, not pending', async () => {
    machine.open.add('/dev/loop0');
    await expect(scene.detach()).rejects.toMatchObject({ kind: 'busy' });
    expect(loop().autoclear).toBe(false);
    machine.open.clear();
    await scene.detach();
    expect(machine.loops.size).toBe(0);
  });

  it('is the way out of a state that nothing else takes', async () => {
    loop().sectorSize = 4096;
    await scene.detach();
    expect(machine.loops.size).toBe(0);
  });

  it('keeps a loop that holds the only copy', async () => {
    machine.nodes.delete('/pool/g.d0.img');
    await expect(scene.detach()).rejects.toMatchObject({ kind: 'corrupt' });
    expect([...machine.loops.keys()]).toEqual(['/dev/loop0']);
  });

  it('with --stay-down keeps attach --all away until it is named', async () => {
    await scene.detach('g', true);
    expect(scene.sidecar('d0').autoAttach).toBe(false);
    await scene.attach();
    expect(scene.sidecar('d0').autoAttach).toBe(true);
  });
});

describe('attach', () => {
  it('disarms a loop that is about to go', async () => {
    loop().autoclear = true;
    await scene.attach();
    expect(loop().autoclear).toBe(false);
    expect(machine.loops.size).toBe(2);
  });

  it('tells a loop that its file has grown', async () => {
    image().size = 96 * MiB;
    await scene.attach();
    expect(loop().size).toBe(96 * MiB);
  });

  it('keeps the good images up when one is bad', async () => {
    await scene.detach();
    image().size = 1;
    await expect(scene.attach()).rejects.toMatchObject({ kind: 'corrupt' });
    expect(machine.loops.size).toBe(1);
  });
});

describe('remove', () => {
  it('of images that are all gone takes their sidecars', async () => {
    await scene.detach();
    for (const name of ['d0', 'd1']) machine.nodes.delete(`/pool/g.${name}.img`);
    await scene.remove();
    expect([...machine.nodes.keys()].filter((path) => path.startsWith('/pool/'))).toEqual([]);
  });

  it('leaves a file that took the name of an image', async () => {
    scene.edit('d0', { phase: 'removing' });
    scene.edit('d1', { phase: 'removing' });
    machine.loops.clear();
    machine.vgs.clear();
    machine.node('/pool/g.d1.img').label = null;
    machine.put('/pool/g.d0.img', 7);
    await scene.remove('g', true);
    expect([...machine.nodes.keys()].filter((path) => path.startsWith('/pool/'))).toEqual(['/pool/g.d0.img']);
  });

  it('says that what is not there is already gone', async () => {
    await scene.remove();
    expect(await scene.lines(() => scene.remove())).toEqual([]);
    expect(scene.said.at(-1)).toBe('g is already gone');
  });

  it('puts the phases back when the VG stays', async () => {
    machine.onChange = (line) => (line.includes(' lvm vgremove ') ? output({ code: 5 }) : undefined);
    await expect(scene.remove()).rejects.toThrow(/still there/);
    expect(scene.sidecar('d0').phase).toBe('ready');
  });
});

describe('what could not be told', () => {
  /** What cannot be taken back. */
  const destroying = /^rm -f -- .*\.img$|^rm -r|lvm (vgremove|pvremove|lvremove|vgreduce)|^losetup -d/;
  it.for([
    ['remove', (one: Scene) => one.remove('g', true)],
    ['remove FILE', (one: Scene) => one.remove('g/d1')],
    ['detach', (one: Scene) => one.detach()],
    ['attach', (one: Scene) => one.attach()],
    ['apply', (one: Scene) => one.apply({ d0: 96, d1: 64 })],
  ] as const)('is followed by nothing that destroys: %s', async ([, verb]) => {
    for (let at = 1, ended = false; !ended; at += 1) {
      using one = new Scene();
      await one.apply({ d0: 64, d1: 64 });
      let looks = 0;
      let after = Number.POSITIVE_INFINITY;
      one.machine.lines = [];
      one.machine.onLook = () => {
        looks += 1;
        if (looks !== at) return undefined;
        after = one.machine.lines.length;
        throw new Failure('failed', 'could not tell');
      };
      const error = await verb(one).then(
        () => null,
        (failure: Failure) => failure,
      );
      ended = looks < at;
      if (ended) continue;
      expect(
        one.machine.lines.slice(after).filter((line) => destroying.test(line)),
        `look ${at}`,
      ).toEqual([]);
      if (error !== null) expect(['failed', 'partial'], `look ${at}: ${error.message}`).toContain(error.kind);
    }
  });
});

describe('the private directory of LVM', () => {
  const found = (...images: string[]) =>
    images.map((image) => ({ image, group: image.split('/').at(-1)?.split('.')[0] ?? '', sidecar: '' }));

  it.for<[string[], string[], string[]]>([
    [['/a/g.d0.img'], ['/a/g.d0.img'], ['/a/.lvm-loop']],
    [['/a/g.d0.img', '/a/h.d0.img'], ['/a/g.d0.img'], []],
    [['/a/g.d0.img', '/b/g.d1.img'], ['/a/g.d0.img'], ['/a/.lvm-loop']],
    [['/a/g.d0.img', '/b/g.d1.img'], ['/b/g.d1.img'], []],
    [['/a/g.d0.img', '/b/g.d1.img', '/b/h.d0.img'], ['/a/g.d0.img', '/b/g.d1.img'], ['/a/.lvm-loop']],
  ])('of %j without %j: %j goes', ([images, gone, directories]) => {
    expect(orphaned(found(...images), gone)).toEqual(directories);
  });

  it('is that of the first image, also for a file elsewhere', async () => {
    machine.nodes.set('/pool/z', machine.node('/pool'));
    const file = { name: 'd2', size: 64 * MiB, directory: '/pool/z', fsUuid: null };
    const lines = await scene.lines(() => scene.apply({}, { files: [file] }));
    expect(lines.filter((line) => line.includes('LVM_SYSTEM_DIR=') && !line.includes('=/pool/.lvm-loop'))).toEqual([]);
    expect(machine.nodes.has('/pool/z/g.d2.img')).toBe(true);
    expect(machine.nodes.has('/pool/z/.lvm-loop')).toBe(false);
  });
});

import { Failure, Interrupted } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import { Scene } from './scene.ts';

interface Verb {
  prepare?(scene: Scene): Promise<unknown>;
  run(scene: Scene): Promise<unknown>;
  /** What holds in the end. */
  settled(scene: Scene): void;
}

const sizes = (scene: Scene) =>
  Object.fromEntries(
    [...scene.machine.nodes]
      .filter(([path]) => path.endsWith('.img'))
      .map(([path, { size }]) => [path, size / 2 ** 20]),
  );

function whole(scene: Scene, wanted: Record<string, number>): void {
  expect(sizes(scene)).toEqual(wanted);
  const { loops, vgs, nodes } = scene.machine;
  expect(new Set([...loops.values()].map(({ node }) => node)).size).toBe(Object.keys(wanted).length);
  expect(loops.size).toBe(Object.keys(wanted).length);
  expect([...nodes.keys()].filter((path) => /\.(creating|new)$/.test(path))).toEqual([]);
  const [vg] = [...vgs.values()];
  for (const file of Object.keys(wanted).map((path) => path.split('.')[1] as string)) {
    const { phase, vgUuid, pvUuid, size } = scene.sidecar(file);
    expect([phase, vgUuid, size]).toEqual(['ready', vg?.uuid, (wanted[`/pool/g.${file}.img`] as number) * 2 ** 20]);
    expect(vg?.extents.get(pvUuid as string)).toBe(((wanted[`/pool/g.${file}.img`] as number) - 4) / 4);
  }
}

const verbs: Record<string, Verb> = {
  'apply (new)': {
    run: (scene) => scene.apply({ d0: 64, d1: 64 }),
    settled: (scene) => whole(scene, { '/pool/g.d0.img': 64, '/pool/g.d1.img': 64 }),
  },
  'apply (extension and growth)': {
    prepare: (scene) => scene.apply({ d0: 64 }),
    run: (scene) => scene.apply({ d0: 96, d1: 64 }),
    settled: (scene) => whole(scene, { '/pool/g.d0.img': 96, '/pool/g.d1.img': 64 }),
  },
  attach: {
    prepare: (scene) => scene.apply({ d0: 64, d1: 64 }).then(() => scene.detach('g', true)),
    run: (scene) => scene.attach(),
    settled: (scene) => whole(scene, { '/pool/g.d0.img': 64, '/pool/g.d1.img': 64 }),
  },
  detach: {
    prepare: (scene) => scene.apply({ d0: 64, d1: 64 }),
    run: (scene) => scene.detach(),
    settled: (scene) => expect([scene.machine.loops.size, scene.machine.vgs.size]).toEqual([0, 1]),
  },
  'remove GROUP': {
    prepare: (scene) =>
      scene.apply({ d0: 64, d1: 64 }).then(() => [...scene.machine.vgs.values()][0]?.lvs.push('data')),
    run: (scene) => scene.remove('g', true),
    settled: (scene) => {
      expect([...scene.machine.nodes.keys()].filter((path) => path.startsWith('/pool/'))).toEqual([]);
      expect([scene.machine.loops.size, scene.machine.vgs.size]).toEqual([0, 0]);
    },
  },
  'remove FILE': {
    prepare: (scene) => scene.apply({ d0: 64, d1: 64 }),
    run: (scene) => scene.remove('g/d1'),
    settled: (scene) => whole(scene, { '/pool/g.d0.img': 64 }),
  },
};

/** From the N-th change on the run is dead: nothing it tries has an effect. */
const killed = (scene: Scene, at: number) => {
  scene.machine.onChange = (_, count) => {
    if (count >= at) throw new Error('killed');
    return undefined;
  };
};
/** Only the N-th change fails. */
const failed = (scene: Scene, at: number) => {
  scene.machine.onChange = (line, count) => {
    if (count === at) throw new Failure('failed', `could not do ${line}`);
    return undefined;
  };
};

/** A signal arrives at the N-th change, before or after it is made; what is put back then is not disturbed. */
const interrupted = (scene: Scene, at: number) => {
  scene.machine.onChange = (_, count) => {
    if (count === at) throw new Interrupted();
    return undefined;
  };
};
const interruptedAfter = (scene: Scene, at: number) => {
  scene.machine.onChanged = (count) => {
    if (count === at) throw new Interrupted();
  };
};

async function changesOf(verb: Verb): Promise<number> {
  using scene = new Scene();
  await verb.prepare?.(scene);
  return (await scene.lines(() => verb.run(scene))).length;
}

describe.for(Object.entries(verbs))('%s', ([_, verb]) => {
  it.for([
    ['killed', killed],
    ['failed', failed],
    ['interrupted', interrupted],
    ['interrupted after a change', interruptedAfter],
  ] as const)('is finished by the next run, wherever it is %s', async ([, strike]) => {
    const changes = await changesOf(verb);
    expect(changes).toBeGreaterThan(1);
    for (let at = 1; at <= changes; at += 1) {
      using scene = new Scene();
      await verb.prepare?.(scene);
      scene.machine.lines = [];
      strike(scene, at);
      await verb.run(scene).catch(() => {});
      scene.machine.onChange = () => undefined;
      scene.machine.onChanged = () => {};
      await verb.run(scene);
      verb.settled(scene);
      expect(await scene.lines(() => verb.run(scene)), `again after ${at}`).toEqual([]);
    }
  });
});

describe('a new group', () => {
  it.for([
    ['failed', failed],
    ['interrupted', interrupted],
    ['interrupted after a change', interruptedAfter],
  ] as const)('that is %s before its VG is there leaves nothing', async ([, strike]) => {
    const verb = verbs['apply (new)'] as Verb;
    const changes = await changesOf(verb);
    for (let at = 1; at <= changes; at += 1) {
      using scene = new Scene();
      strike(scene, at);
      const error = await verb.run(scene).then(
        () => null,
        (failure: Failure) => failure,
      );
      if (error === null || scene.machine.vgs.size > 0) continue;
      expect(
        [...scene.machine.nodes.keys()].filter((path) => path.startsWith('/pool/')),
        `${at}`,
      ).toEqual([]);
      expect(scene.machine.loops.size).toBe(0);
    }
  });
});

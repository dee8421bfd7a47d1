import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Scene } from './scene.ts';

/** What somebody does to a group, and at which change the run is killed (0: never). */
interface Deed {
  verb: 'apply' | 'attach' | 'detach' | 'remove FILE';
  grow: number;
  files: number;
  kill: number;
}
const deed = fc.record<Deed>({
  verb: fc.constantFrom('apply', 'apply', 'apply', 'attach', 'detach', 'remove FILE'),
  grow: fc.integer({ min: 0, max: 3 }),
  files: fc.integer({ min: 1, max: 3 }),
  kill: fc.integer({ min: 0, max: 40 }),
});

const sizes = (files: number, size: number) =>
  Object.fromEntries(Array.from({ length: files }, (_, at) => [`d${at}`, size]));

const run = (scene: Scene, { verb, files }: Deed, size: number): Promise<unknown> => {
  if (verb === 'apply') return scene.apply(sizes(files, size));
  if (verb === 'remove FILE') return scene.remove(`g/d${files - 1}`);
  return verb === 'attach' ? scene.attach() : scene.detach();
};

it('comes to what is wanted after whatever was killed where, loses no identity, and then rests', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 6 }), async (deeds) => {
      using scene = new Scene();
      const uuids = new Map<string, string>();
      let size = 64;
      for (const one of deeds) {
        size += one.grow * 4;
        scene.machine.lines = [];
        scene.machine.onChange = (_, count) => {
          if (one.kill > 0 && count >= one.kill) throw new Error('killed');
          return undefined;
        };
        await run(scene, one, size).catch(() => {});
        scene.machine.onChange = () => undefined;
        const { nodes, vgs } = scene.machine;
        for (const [path, { ino, vg }] of nodes) if (path.endsWith('.img') && vg) uuids.set(`${path} ${ino}`, vg);
        expect(vgs.size).toBeLessThanOrEqual(1);
      }
      for (const file of ['d0', 'd1', 'd2']) {
        const { phase } = scene.machine.nodes.has(`/pool/g.${file}.img.lvm-loop.json`) ? scene.sidecar(file) : {};
        if (phase === 'leaving') await scene.remove(`g/${file}`);
      }
      expect((await scene.apply(sizes(3, size))).failure).toBeNull();
      expect(await scene.lines(() => scene.apply(sizes(3, size)))).toEqual([]);
      const [vg] = [...scene.machine.vgs.values()];
      expect([...(vg?.extents.values() ?? [])]).toEqual([1, 2, 3].map(() => (size - 4) / 4));
      for (const [path, { ino, vg: inside }] of scene.machine.nodes)
        if (uuids.has(`${path} ${ino}`)) expect(inside).toBe(uuids.get(`${path} ${ino}`));
      expect(scene.machine.loops.size).toBe(3);
    }),
    { numRuns: 25 },
  );
});

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { alternate, type Driver, dice, Model, type Scene } from './alternating.ts';
import { TestPool } from './pool.ts';
import { perform, QubesVolume } from './qubes.ts';

const name = 'appvms/work/private';
const size = 65_536;

/** A directory as Qubes makes it, with one volume. */
async function made(folder: string, keep: number): Promise<{ pool: TestPool; volume: QubesVolume }> {
  const pool = new TestPool(folder);
  await mkdir(pool.file('appvms/work'), { recursive: true });
  const volume = new QubesVolume(pool.path, name, keep);
  await perform(volume.create(size));
  return { pool, volume };
}

async function scene(folder: string, seed: number): Promise<Scene> {
  const keep = 1 + (seed % 3);
  const { pool, volume } = await made(folder, keep);
  const driver: Driver = {
    start: () => perform(volume.start()),
    stop: () => perform(volume.stop()),
    revert: (number) => perform(volume.revert(number)),
    resize: (to) => perform(volume.resize(to)),
    import: (content) => perform(volume.import(content)),
  };
  await pool.say('adopt');
  return { pool, volume, driver, model: new Model(Buffer.alloc(size)), name, keep, roll: dice(seed) };
}

/** The committed states that have a name. */
async function states(volume: QubesVolume): Promise<string[]> {
  const paths = [volume.head, ...(await volume.revisions()).map(([, path]) => path)];
  const contents = await Promise.all(paths.map((path) => readFile(path, 'latin1').catch(() => null)));
  return contents.filter((content) => content !== null);
}

const work = (volume: QubesVolume) => readFile(volume.work, 'latin1').catch(() => null);

const operations = {
  start: (volume: QubesVolume) => volume.start(),
  stop: (volume: QubesVolume) => volume.stop(),
  revert: (volume: QubesVolume) => volume.revert(),
  import: (volume: QubesVolume) => volume.import(randomBytes(size)),
  resize: (volume: QubesVolume) => volume.resize(2 * size),
};

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a pool shared with Qubes on ${filesystem}`, () => {
    it.each([1, 2])(
      'holds what a model says after 50 verbs of both in turn (seed %i)',
      { timeout: 300_000 },
      async (seed) => {
        await using folder = await mounted(filesystem);
        await alternate(await scene(folder.path, seed), 50);
      },
    );

    it('lists every image again whenever all that is noted is lost', { timeout: 300_000 }, async () => {
      await using folder = await mounted(filesystem);
      await alternate(await scene(folder.path, 3), 24, true);
    });

    it.each(Object.entries(operations))(
      'takes over what a killed %s left, wherever it was',
      { timeout: 300_000 },
      async (operation, steps) => {
        await using folder = await mounted(filesystem);
        for (let ended = false, done = 0; !ended; done += 1) {
          const at = join(folder.path, `${done}`);
          await mkdir(at);
          const { pool, volume } = await made(at, 2);
          for (let cycle = 0; cycle < 2; cycle += 1) {
            await perform(volume.start());
            await pool.write(`${name}-dirty.img`, 0, randomBytes(512));
            if (cycle === 0 || operation !== 'stop') await perform(volume.stop());
          }
          ended = await perform(steps(volume), done);
          const [before, written, files] = [await states(volume), await work(volume), await tree(pool.path)];
          await pool.say('adopt');
          expect(Object.keys(await tree(pool.path)).filter((path) => !path.startsWith('.platter'))).toEqual(
            Object.keys(files),
          );
          expect(await pool.tell('list', '--revisions')).toHaveLength((await volume.revisions()).length);
          await pool.say('start', name, '--reserve', '0');
          await pool.say('stop', name, '--always', '--no-prepare');
          expect(await states(volume)).toEqual(expect.arrayContaining(before));
          if (written !== null) expect(await readFile(volume.head, 'latin1')).toBe(written);
          expect((await pool.files()).filter((path) => /~|-import|-dirty/.test(path))).toEqual([]);
          expect((await pool.try('doctor')).stdout).not.toMatch(/appvms/);
          await perform(volume.start());
          await perform(volume.stop());
          expect(await states(volume)).toContain(await readFile(volume.head, 'latin1'));
        }
      },
    );

    it('is handed back: the trap of heads that are written in place is told, and the lines that avoid it work', async () => {
      await using folder = await mounted(filesystem);
      const { pool } = await made(folder.path, 2);
      await pool.say('adopt');
      const [head, other] = [pool.file(`${name}.img`), pool.file('appvms/work/copy.img')];
      await succeed(['ln', '--', head, other]);
      const told = await pool.try('doctor', 'appvms/', '--for', 'qubes', '-o', 'json');
      const { code, path, fix } = JSON.parse(told.stdout.split('\n')[0] ?? '');
      expect([told.code, code, path]).toEqual([3, 'shared-head', head]);
      expect(fix).toMatch(/^cp --reflink=always .* && mv -T -- /);
      const inPlace = new QubesVolume(pool.path, 'appvms/work/copy', -1);
      await succeed(['sh', '-e', '-c', fix]);
      expect((await pool.try('doctor', 'appvms/', '--for', 'qubes')).stdout).not.toContain('shared-head');
      const before = await readFile(head);
      await perform(inPlace.start());
      await pool.write('appvms/work/copy-dirty.img', 0, 'in place');
      await perform(inPlace.stop());
      expect([(await readFile(head)).equals(before), (await stat(head)).nlink]).toEqual([true, 1]);
      expect(await readFile(other, 'latin1')).toMatch(/^in place/);
    });
  });

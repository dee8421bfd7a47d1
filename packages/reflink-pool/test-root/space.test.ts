import { randomBytes, randomInt } from 'node:crypto';
import { open, readdir, stat, statfs } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { frag, probe, prune, pruneSummary, usage } from '../src/records/space.ts';
import { fragmented, TestPool } from './pool.ts';

const MiB = 2 ** 20;
const copying = (filesystem: string) => (filesystem === 'ext4' ? ['--allow-copy'] : []);

/** A session of a guest: so many writes of up to 64 KiB at random places of the first 24 MiB. */
async function session(pool: TestPool, volume: string, writes: number): Promise<void> {
  await pool.say('start', volume);
  await using file = await open(pool.file(`${volume}-dirty.img`), 'r+');
  for (let n = 0; n < writes; n += 1)
    await file.write(randomBytes(4096 * randomInt(1, 17)), 0, undefined, 4096 * randomInt(6144));
  await file.sync();
  await file.close();
  await pool.say('stop', volume, '--no-prepare');
}

/** Free bytes once all that is going to come free has: XFS frees in the background, and goes on while it grows. */
async function settled(path: string, expected: number): Promise<number> {
  const look = async () => {
    await succeed(['sync', '-f', path]);
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  };
  let free = await look();
  for (let still = 0; still < 20 && free < expected; ) {
    const now = await look();
    still = now > free ? 0 : still + 1;
    free = now;
  }
  return free;
}

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`space on ${filesystem}`, () => {
    it('is predicted: what each name frees, by random histories of writes', async () => {
      await using folder = await mounted(filesystem, 1024 * MiB);
      const pool = await TestPool.at(folder.path, '--prepare', 'never');
      await pool.say('create', 'v', '--size', '32M', '--policy', 'min=all');
      for (let cycle = 0; cycle < 5; cycle += 1) await session(pool, 'v', randomInt(20, 200));
      await pool.say('snapshot', 'v');
      await pool.say('clone', 'v@3', 'w');
      const all = (await pool.tell('usage', 'v', '--revisions')).map((record) => usage.parse(record));
      const of = (ref: string) => all.find((record) => record.ref === ref)?.reclaimable;
      expect([of('v@head'), of('v@6'), of('v@3')]).toEqual([0, 0, 0]);
      for (const ref of ['v@2', 'v@4', 'v@5']) {
        const [now] = (await pool.tell('usage', 'v', '--revisions')).filter((record) => record.ref === ref);
        const predicted = usage.parse(now).reclaimable;
        const before = await settled(folder.path, Number.POSITIVE_INFINITY);
        await pool.say('remove', ref, `--confirm=${ref}`);
        const freed = (await settled(folder.path, before + predicted)) - before;
        expect(Math.abs(freed - predicted)).toBeLessThanOrEqual(Math.max(MiB, 0.05 * freed));
      }
    });

    it('counts an image once, whatever it is called', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never');
      await pool.say('create', 'v', '--size', '32M', '--policy', 'min=all');
      await session(pool, 'v', 100);
      const [before] = (await pool.tell('usage')).map((record) => usage.parse(record));
      await pool.say('snapshot', 'v');
      expect((await pool.tell('usage', 'v')).map((record) => usage.parse(record))).toEqual([before]);
      expect(before?.referenced).toBeGreaterThan(0);
      expect(before?.referenced).toBeLessThanOrEqual(before?.allocated ?? 0);
      expect(before?.overhead === null).toBe(filesystem === 'btrfs');
    });
  });

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`prune, flatten and probe on ${filesystem}`, () => {
    it('prune: explains, then does the same; the freed bytes are told before', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never', ...copying(filesystem));
      await pool.say('create', 'v', '--size', '8M', '--policy', 'min=all');
      for (let cycle = 0; cycle < 3; cycle += 1) await session(pool, 'v', 20);
      await pool.say('pin', 'v@1');
      const before = await tree(pool.path);
      const told = await pool.tell('prune', 'v', '--policy', 'count=1', '--explain');
      expect(await tree(pool.path)).toEqual(before);
      const lines = told.slice(0, -1).map((record) => prune.parse(record));
      expect(lines.map(({ number, action }) => `${number} ${action}`)).toEqual(['1 keep', '2 remove', '3 keep']);
      const done = await pool.tell('prune', 'v', '--policy', 'count=1');
      expect(done.slice(0, -1)).toEqual([lines[1]]);
      expect(pruneSummary.parse(done.at(-1))).toEqual(pruneSummary.parse(told.at(-1)));
      expect((await pool.files()).filter((name) => name.includes('.img.'))).toEqual(['v.img.1', 'v.img.3']);
    });

    it('prune: skips what is locked, and makes room until there is enough', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never', ...copying(filesystem));
      for (const name of ['a', 'b']) {
        await pool.say('create', name, '--size', '64M', '--policy', 'min=all');
        for (let cycle = 0; cycle < 3; cycle += 1) await session(pool, name, 100);
      }
      const free = await settled(folder.path, Number.POSITIVE_INFINITY);
      const known = (await pool.tell('usage', '--revisions')).map((record) => usage.parse(record));
      const wanted = free + 1 + (known.find(({ ref }) => ref === 'a@2')?.reclaimable ?? 0);
      const locked = [
        'flock',
        pool.file('.platter/locks/a'),
        'reflink-pool',
        'prune',
        '--policy',
        'min=none',
        '-o',
        'json',
      ];
      const skipped = await run(locked, { env: pool.env });
      expect([skipped.code, JSON.parse(skipped.stdout.trim().split('\n').at(-1) ?? '').skipped]).toEqual([7, ['a']]);
      expect((await pool.files()).filter((name) => name.startsWith('b.img.'))).toEqual([]);
      const done = await pool.tell('prune', 'a', '--policy', `count=all,free=${wanted}`);
      expect(done.at(-1)).toMatchObject({ reached: true, freeTarget: wanted });
      expect((await statfs(folder.path)).bavail * (await statfs(folder.path)).bsize).toBeGreaterThanOrEqual(wanted);
    });

    it('flatten: one piece with the same bytes, no revision more, no copy made ahead of the old one', async () => {
      await using folder = await mounted(filesystem, 1024 * MiB);
      const pool = await TestPool.at(folder.path, '--prepare', 'never', ...copying(filesystem));
      await fragmented(`${folder.path}/image`, 512);
      await pool.say('import', 'v', `${folder.path}/image`, '--create', '--copy');
      await pool.say('start', 'v');
      for (let block = 0; block < 512; block += 1)
        await pool.write('v-dirty.img', block * 8192 + 4096, Buffer.alloc(4096, 'y'));
      await pool.say('stop', 'v', '--no-prepare');
      await pool.say('snapshot', 'v', '--label', 'here');
      await pool.say('start', 'v', '--prepare');
      const [bytes, files] = [await pool.digest('v.img'), await pool.files()];
      const [record] = (await pool.tell('flatten', 'v')).map((one) => frag.parse(one));
      expect(record?.mappings).toBeLessThanOrEqual(4);
      if (filesystem !== 'ext4') expect(record?.outcome).toBe('flattened');
      const left = record?.outcome === 'already' ? files : files.filter((name) => !name.includes('precache'));
      expect([await pool.digest('v.img'), await pool.files()]).toEqual([bytes, left]);
      const [named] = await pool.tell('show', 'v@here');
      expect([named?.twin, (await stat(named?.path ?? '')).ino]).toEqual([true, (await stat(pool.file('v.img'))).ino]);
      expect((await pool.tell('flatten', 'v'))[0]?.outcome).toBe('already');
    });

    it('do in a shell what their dry runs print', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never', ...copying(filesystem));
      await pool.say('create', 'v', '--size', '1M', '--policy', 'min=all');
      for (let cycle = 0; cycle < 2; cycle += 1) await session(pool, 'v', 3);
      for (const words of [
        ['prune', 'v', '--policy', 'min=none', '--save'],
        ['prune', '--policy', 'min=3d', '--save'],
      ]) {
        const before = await tree(pool.path);
        const lines = await pool.say(...words, '-n');
        expect(await tree(pool.path)).toEqual(before);
        await succeed(['sh', '-e', '-c', lines]);
        expect(
          (await pool.say(...words, '-n')).split('\n').filter((line) => line !== '' && !line.startsWith('#')),
        ).toEqual([]);
      }
      const before = await pool.files();
      if (filesystem !== 'ext4') await succeed(['sh', '-e', '-c', await pool.say('probe', '-n')]);
      expect(await pool.files()).toEqual(before);
    });

    it('probe: says what the filesystem does, measures a clone, and leaves nothing', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, ...copying(filesystem));
      const said = await pool.try('probe', '--calibrate', '--save', '-o', 'json');
      const record = probe.parse(JSON.parse(said.stdout));
      expect((await readdir(pool.path)).filter((name) => name.includes('probe'))).toEqual([]);
      const [shown] = await pool.tell('show');
      if (filesystem === 'ext4') {
        expect([said.code, record]).toMatchObject([6, { reflink: false, links: true, baseUs: null }]);
        expect(shown?.calibration).toBeNull();
        return;
      }
      expect([said.code, record]).toMatchObject([
        0,
        { fsType: filesystem, reflink: true, links: true, sharedFlag: true },
      ]);
      expect(record.usPerMapping).toBeGreaterThan(0);
      expect(shown?.calibration).toMatchObject({
        baseUs: record.baseUs,
        usPerMapping: record.usPerMapping,
        fsType: filesystem,
      });
      expect((await pool.tell('create', 'v', '--size', '1M')).length + (await pool.tell('frag', 'v')).length).toBe(2);
    });
  });

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterAll, describe, expect, it } from 'vitest';
import type { Point } from '../src/manifest-kinds.ts';
import type { Disk } from '../test/model.ts';
import { day, dispose, pruned, simple, undoAll } from './pruning-vm.ts';
import { forge } from './repository.ts';

afterAll(dispose);

describe('trash', () => {
  it('restore undoes merges, folds, dropped points and sets, byte for byte, newest first', async () => {
    const { vm } = await simple();
    (vm.disks.get('data') as Disk).write(8, 9);
    await vm.capture(undefined, '--full');
    (vm.disks.get('data') as Disk).write(10).zero(8);
    await vm.capture();
    await vm.capture();
    const before = vm.files();
    await vm.prune('--keep-last', '1', '--fold', 'always');
    await vm.holds();
    const ops = (await vm.entries()).map(({ op }) => op).sort();
    expect(ops).toContain('fold');
    expect(ops).toContain('prune');
    await undoAll(vm);
    expect(vm.files()).toEqual(before);
    await vm.holds();
    expect((await vm.entries()).every(({ op }) => op === 'sweep')).toBe(true);
  });

  it('restore is refused once something was built on what the operation left', async () => {
    const { vm, ids } = await simple();
    for (const id of ids.slice(0, 3)) rmSync(join(vm.path, 'sets', `${id}.json`));
    const untouched = vm.files();
    await vm.must('merge', `default/db/data@${ids[1]}..${ids[2]}`);
    const [first] = await vm.entries();
    vm.today += day;
    await vm.must('merge', `default/db/data@${ids[0]}..${ids[2]}`);
    const [, second] = await vm.entries();
    const before = vm.files();
    const refused = await vm.run('trash', 'restore', first?.name ?? '');
    expect(refused).toMatchObject({ code: 3, failure: { message: expect.stringContaining('changed since') } });
    expect(vm.files()).toEqual(before);
    await vm.must('trash', 'restore', second?.name ?? '');
    await vm.must('trash', 'restore', first?.name ?? '');
    expect(vm.files()).toEqual(untouched);
    await vm.holds();
  });

  it('restore of points whose parents are gone, or whose place is taken, is refused', async () => {
    const { vm, ids } = await simple();
    const disk = vm.disks.get('data') as Disk;
    await vm.capture(undefined, '--full');
    await vm.prune('--keep-last', '1');
    const [points] = (await vm.entries()).filter((one) => one.points.length > 0);
    const sets = (await vm.entries()).filter((one) => one.sets.length > 0);
    expect(points?.points).toEqual([...ids].reverse().map((id) => `data@${id}`));
    const early = await vm.run('trash', 'restore', sets[0]?.name ?? '');
    expect(early).toMatchObject({ code: 3, failure: { details: { by: expect.stringContaining('is not there') } } });
    const entry = join(vm.path, 'trash', points?.name.split('@')[1] ?? '');
    const full = join(entry, 'disks/data/points', `000001-${ids[0]}.json`);
    const bytes = readFileSync(full);
    rmSync(full);
    expect(await vm.run('trash', 'restore', points?.name ?? '')).toMatchObject({ code: 3 });
    writeFileSync(full, bytes, { mode: 0o444 });
    await vm.must('trash', 'restore', points?.name ?? '');
    for (const one of sets) await vm.must('trash', 'restore', one.name);
    await vm.holds();
    disk.write(3);
  });

  it('restore: a point whose parent got another child does not come back', async () => {
    const { vm, ids } = await simple();
    rmSync(join(vm.path, 'sets', `${ids[3]}.json`));
    await vm.capture(undefined, '--full');
    await vm.prune('--keep-last', '9');
    const dropped = (await vm.entries()).find((one) => one.points.length > 0);
    expect(dropped?.points).toEqual([`data@${ids[3]}`]);
    const held = join(vm.path, 'trash', dropped?.name.split('@')[1] ?? '', 'disks/data');
    const home = join(vm.path, 'disks/data');
    const rival = join(home, 'points/000009-rival.json');
    const files = { data: 'rival.0.qcow2', digests: 'rival.0.dig' };
    cpSync(join(held, 'data', `${ids[3]}.0.qcow2`), join(home, 'data', files.data));
    cpSync(join(held, 'data', `${ids[3]}.0.dig`), join(home, 'data', files.digests));
    cpSync(join(held, 'points', `000004-${ids[3]}.json`), rival);
    forge(rival, (point) => {
      const { data, digests, checkpointChain } = point as unknown as Point;
      Object.assign(point, {
        id: 'rival',
        sequence: 9,
        checkpointChain: [...checkpointChain.slice(0, -1), 'rival'],
        data: { ...data, file: files.data },
        digests: { ...digests, file: files.digests },
      });
    });
    await vm.must('validate');
    const refused = await vm.run('trash', 'restore', dropped?.name ?? '');
    expect(refused.failure?.details).toEqual({ by: expect.stringContaining('2 points have it as parent') });
    for (const path of [rival, join(home, 'data', files.data), join(home, 'data', files.digests)]) rmSync(path);
    await vm.must('trash', 'restore', dropped?.name ?? '');
    expect(vm.points()).toContain(ids[3]);
    await vm.holds();
  });

  it('is never trusted when its reason was edited: 5, and nothing is lost', async () => {
    const { vm, ids } = await simple();
    await vm.prune('--keep-last', '1', '--fold', 'always');
    const [entry] = await vm.entries();
    const why = join(vm.path, 'trash', entry?.name.split('@')[1] ?? '', 'why.json');
    const words = readFileSync(why, 'utf8');
    const all = () => readdirSync(vm.path, { recursive: true }).sort();
    for (const forged of [words.replace('prune', 'sweep'), '{}', '', words.replace('2026', '2016')]) {
      rmSync(why);
      writeFileSync(why, forged);
      const before = all();
      expect((await vm.run('trash', 'restore', entry?.name ?? '')).code).toBe(5);
      expect((await vm.run('trash', 'purge', '--older-than', '0')).code).toBe(5);
      expect((await vm.run('trash', 'list')).code).toBe(5);
      expect(all()).toEqual(before);
    }
    const orphan = join(vm.path, 'disks/data/data', `${ids[0]}.0.qcow2`);
    writeFileSync(orphan, 'x');
    expect((await vm.run('pin', 'default/db@latest', '--name', 'x')).code).toBe(5);
    expect(existsSync(orphan)).toBe(true);
    rmSync(orphan);
    await vm.must('pin', 'default/db@latest', '--name', 'x');
    rmSync(why);
    writeFileSync(why, words);
    const guest = join(why, '../disks');
    mkdirSync(guest, { recursive: true });
    writeFileSync(join(guest, 'mine'), 'x');
    expect((await vm.run('trash', 'purge', '--older-than', '0')).code).toBe(5);
    expect((await vm.run('trash', 'restore', entry?.name ?? '')).code).toBe(5);
    expect(existsSync(join(guest, 'mine'))).toBe(true);
  });

  it('purge leaves what is younger, and all while somebody reads; prune says so and goes on', async () => {
    const { vm } = await simple();
    await vm.prune('--keep-last', '1', '--fold', 'always');
    const names = (await vm.entries()).map(({ name }) => name);
    expect((await vm.must('trash', 'purge')).records).toEqual([]);
    vm.today += 2 * day;
    const reader = await local().query({ op: 'lock', path: join(vm.path, 'use'), shared: true });
    expect(await vm.run('trash', 'purge')).toMatchObject({ code: 4 });
    const ran = await vm.prune('--keep-last', '1');
    expect(ran.notes).toEqual(['will not purge the trash of default/db: somebody reads the VM']);
    expect((await vm.entries()).map(({ name }) => name)).toEqual(names);
    reader.release();
    const bytes = (await vm.entries()).reduce((sum, one) => sum + one.bytes, 0);
    expect(pruned(await vm.prune('--keep-last', '1'))).toMatchObject({ bytesPurged: bytes });
    expect(readdirSync(join(vm.path, 'trash'))).toEqual([]);
    await vm.holds();
  });

  it('what a crash left outside goes back into the entry that was made for it last', async () => {
    const { vm, ids } = await simple();
    for (const id of ids.slice(0, 3)) rmSync(join(vm.path, 'sets', `${id}.json`));
    const data = join(vm.path, 'disks/data/data');
    writeFileSync(join(data, `${ids[3]}.1.qcow2`), 'left behind by a merge that was killed');
    await vm.must('pin', 'default/db@latest', '--name', 'x');
    expect((await vm.entries()).map(({ op }) => op)).toEqual(['sweep']);
    await vm.must('merge', `default/db/data@${ids[2]}..${ids[3]}`);
    const merged = vm.files();
    vm.today += day;
    await vm.must('merge', `default/db/data@${ids[1]}..${ids[3]}`);
    const entry = (await vm.entries()).at(-1)?.name ?? '';
    const home = join(vm.path, 'trash', entry.split('@')[1] ?? '', 'disks/data/data', `${ids[3]}.1.qcow2`);
    cpSync(home, join(data, `${ids[3]}.1.qcow2`));
    rmSync(home);
    await vm.must('pin', 'default/db@latest', '--name', 'x');
    expect(existsSync(home)).toBe(true);
    await vm.must('trash', 'restore', entry);
    const pins = (files: Map<string, string>) => [...files].filter(([path]) => !path.startsWith('pins'));
    expect(pins(vm.files())).toEqual(pins(merged));
  });

  it('never takes the place of what lies in an entry, nor goes where a purge has begun', async () => {
    const { vm, ids } = await simple();
    const data = join(vm.path, 'disks/data/data');
    const [left, list] = [`${ids[3]}.1.qcow2`, `${ids[3]}.1.dig`];
    const sweep = async (bytes: string): Promise<string[]> => {
      vm.today += day;
      for (const name of [left, list]) writeFileSync(join(data, name), bytes);
      await vm.must('pin', 'default/db@latest', '--name', 'x');
      return (await vm.entries()).map(({ name }) =>
        join(vm.path, 'trash', name.split('@')[1] ?? '', 'disks/data/data', left),
      );
    };
    const [first = ''] = await sweep('one');
    const [, second = ''] = await sweep('two');
    expect([first, second].map((path) => readFileSync(path, 'utf8'))).toEqual(['one', 'two']);
    for (const path of [first, second]) rmSync(path);
    await sweep('three');
    expect([existsSync(first), readFileSync(second, 'utf8')]).toEqual([false, 'three']);
  });
});

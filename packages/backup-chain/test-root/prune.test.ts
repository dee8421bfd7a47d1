import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterAll, describe, expect, it } from 'vitest';
import type { Disk } from '../test/model.ts';
import { day, dispose, pruned, simple, undoAll } from './pruning-vm.ts';

afterAll(dispose);

describe('prune', () => {
  it('merges what no kept set needs, folds the full, and says so; the second run finds nothing to do', async () => {
    const { vm, ids } = await simple();
    await vm.must('pin', `default/db@${ids[1]}`, '--name', 'audit');
    const ran = await vm.prune('--keep-last', '1', '--fold', 'always');
    expect(pruned(ran)).toMatchObject({
      kept: [
        { id: ids[3], reasons: ['last 1', 'newest complete'] },
        { id: ids[1], reasons: ['pin audit'] },
      ],
      expired: [ids[2], ids[0]],
      actions: [
        { op: 'fold', points: [`data@${ids[0]}`] },
        { op: 'merge', points: [`data@${ids[2]}`] },
      ],
    });
    expect(ran.text[0]).toMatch(
      /^default\/db {2}keep 2 of 4 sets, 2 expired: 1 folded, 1 merged, \S+ [KM]iB to trash$/,
    );
    expect([vm.ids('sets'), vm.points()]).toEqual([
      [ids[1], ids[3]],
      [ids[1], ids[3]],
    ]);
    await vm.holds();
    const after = vm.files();
    expect(pruned(await vm.prune('--keep-last', '1', '--fold', 'always'))).toMatchObject({
      expired: [],
      actions: [],
      bytesTrashed: 0,
    });
    expect(vm.files()).toEqual(after);
  });

  it('leaves an expired full hidden when it is not to be folded, and whole chains when nothing is to be merged', async () => {
    const { vm, ids } = await simple();
    const never = vm.copy();
    expect(pruned(await never.prune('--keep-last', '1', '--fold', 'never')).actions).toEqual([]);
    expect([never.ids('sets'), never.points()]).toEqual([[ids[3]], ids]);
    await never.holds();
    const disk = vm.disks.get('data') as Disk;
    disk.write(7);
    const next = await vm.capture(undefined, '--full');
    const whole = vm.copy();
    const { actions } = pruned(await whole.prune('--keep-last', '2', '--strategy', 'whole-chain'));
    expect(actions).toEqual([]);
    const last = pruned(await whole.prune('--keep-last', '1', '--strategy', 'whole-chain'));
    expect(last.actions).toMatchObject([{ op: 'trash', points: [...ids].reverse().map((id) => `data@${id}`) }]);
    expect([whole.ids('sets'), whole.points()]).toEqual([[next], [next]]);
    await whole.holds();
  });

  it('keeps points that no set names when they came after the newest set, and lets older ones go', async () => {
    const { vm, ids } = await simple();
    for (const id of [ids[1], ids[3]]) rmSync(join(vm.path, 'sets', `${id}.json`));
    expect(pruned(await vm.prune('--keep-last', '9', '--fold', 'never'))).toMatchObject({
      expired: [],
      actions: [{ op: 'merge', points: [`data@${ids[1]}`] }],
    });
    expect(vm.points()).toEqual([ids[0], ids[2], ids[3]]);
    await vm.holds();
  });

  it('puts attachments away with their set, and brings them back with it', async () => {
    const { vm } = await simple();
    const note = join(vm.folder, 'note');
    writeFileSync(note, 'hello');
    const id = await vm.capture(undefined, '--attach', `note.txt=${note}`);
    const newest = await vm.capture();
    const before = vm.files();
    await vm.prune('--keep-last', '1', '--fold', 'never');
    expect(vm.ids('sets')).toEqual([newest]);
    expect(existsSync(join(vm.path, 'sets', `${id}.d`))).toBe(false);
    await undoAll(vm);
    expect(vm.files()).toEqual(before);
  });

  it('takes a set of a time to come for the newest, and warns', async () => {
    const { vm } = await simple();
    const ahead = await vm.capture(undefined, '--at', '2031-01-01T00:00:00Z');
    const ran = await vm.prune('--keep-last', '1', '--fold', 'never');
    expect(vm.ids('sets')).toEqual([ahead]);
    expect(ran.notes).toEqual([`default/db@${ahead} was taken at a time to come: it counts as the newest`]);
  });

  it('plans in a dry run what it then does, and changes nothing', async () => {
    const { vm } = await simple();
    const before = vm.files();
    const dry = await vm.must('prune', '--keep-last', '1', '--fold', 'always', '-n');
    expect(vm.files()).toEqual(before);
    expect(existsSync(join(vm.path, 'trash')) && readdirSync(join(vm.path, 'trash'))).toEqual([]);
    const wet = await vm.prune('--keep-last', '1', '--fold', 'always');
    expect(pruned(dry).actions).toEqual(pruned(wet).actions);
    expect(pruned(dry).bytesTrashed).toBe(pruned(wet).bytesTrashed);
    const moves = dry.steps
      .filter((line) => line.startsWith('mv '))
      .map((line) => line.replace(/trash\/[^/]*/g, 'trash/E'));
    const entries = readdirSync(join(vm.path, 'trash'), { recursive: true, withFileTypes: true });
    const moved = entries.filter((one) => one.isFile() && one.name !== 'why.json').length;
    expect(moves.filter((line) => line.includes('trash/E'))).toHaveLength(moved);
  });

  it('plans in a dry run without what an interrupted merge left, as the run does', async () => {
    const { vm, ids } = await simple();
    rmSync(join(vm.path, 'sets', `${ids[1]}.json`));
    await vm.must('merge', `default/db/data@${ids[1]}..${ids[2]}`);
    const [entry] = await vm.entries();
    const home = join(vm.path, 'trash', entry?.name.split('@')[1] ?? '', 'disks');
    cpSync(home, join(vm.path, 'disks'), { recursive: true });
    const dry = await vm.must('prune', '--keep-last', '9', '-n');
    rmSync(home, { recursive: true });
    const wet = await vm.prune('--keep-last', '9');
    expect([pruned(dry).actions, pruned(wet).actions]).toEqual([[], []]);
    expect(vm.points()).toEqual([ids[0], ids[2], ids[3]]);
    expect((await vm.entries()).map(({ points }) => points)).toEqual([[`data@${ids[1]}`]]);
  });
});

describe('words', () => {
  it.each([
    [2, []],
    [2, ['--keep-last', '0']],
    [2, ['--keep-daily', 'many']],
    [2, ['default/db/data', '--keep-last', '1']],
    [2, ['--keep-last', '1', '--strategy', 'rewrite']],
    [3, ['default/other', '--keep-last', '1']],
  ])('exit %i for %j, and nothing changes', async (code, words) => {
    const { vm } = await simple();
    const before = vm.files();
    expect((await vm.run('prune', ...words)).code).toBe(code);
    expect((await vm.run('trash', 'restore', 'default/db@latest')).code).toBe(3);
    expect(vm.files()).toEqual(before);
  });

  it('VMs are pruned in name order; one that is locked does not keep the others from it', async () => {
    const { vm, ids } = await simple();
    const [other, third] = ['aa', 'zz'].map((name) => join(vm.root, 'vms/default', name)) as [string, string];
    mkdirSync(third);
    cpSync(vm.path, other, { recursive: true });
    const lock = await local().change({ op: 'lock', path: join(vm.path, 'lock') });
    const ran = await vm.run('prune', '--keep-last', '1');
    lock.release();
    expect(ran.code).toBe(7);
    expect(ran.records.filter(({ kind }) => kind !== 'Finding')).toMatchObject([
      { kind: 'Failure', metadata: { name: 'default/aa' }, failure: 'corrupt' },
      { kind: 'Failure', metadata: { name: 'default/db' }, failure: 'busy' },
      { kind: 'BackupPrune', metadata: { name: 'default/zz' }, sets: 0 },
    ]);
    expect(vm.ids('sets')).toEqual(ids);
  });
});

describe('damage', () => {
  it('in what is kept: the VM is left alone, the others are pruned; 5 when it is the only one, else 7', async () => {
    const { vm, ids } = await simple();
    const lost = join(vm.path, 'disks/data/data', `${ids[3]}.0.qcow2`);
    const before = vm.files();
    const bytes = readFileSync(lost);
    rmSync(lost);
    expect(await vm.run('prune', '--keep-last', '1')).toMatchObject({
      code: 5,
      records: [{ kind: 'Finding', rule: 'C8', object: lost }],
      misfits: [],
    });
    writeFileSync(lost, bytes);
    expect(vm.files()).toEqual(before);
    rmSync(lost);
    cpSync(join(vm.root, 'vms/default'), join(vm.root, 'vms/other'), { recursive: true });
    const ran = await vm.run('prune', '--keep-last', '1');
    expect([ran.code, ran.records.filter(({ kind }) => kind !== 'Finding')]).toMatchObject([
      7,
      [{ kind: 'Failure' }, { kind: 'Failure' }],
    ]);
  });

  it('in what has expired goes with it, and the newest complete set stays', async () => {
    const { vm, ids } = await simple();
    const next = await vm.capture(undefined, '--full');
    rmSync(join(vm.path, 'disks/data/data', `${ids[1]}.0.qcow2`));
    await vm.prune('--keep-last', '1');
    expect([vm.ids('sets'), vm.points()]).toEqual([[next], [next]]);
    await vm.holds();
  });

  it('in the newest set: the newest complete one is kept although it is old', async () => {
    const { vm, ids } = await simple();
    rmSync(join(vm.path, 'disks/data/data', `${ids[3]}.0.dig`));
    vm.today += 9 * day;
    await vm.prune('--keep-within', '1h', '--fold', 'never');
    expect([vm.ids('sets'), vm.points()]).toEqual([[ids[2]], ids.slice(0, 3)]);
    await vm.holds();
  });

  it('of a manifest, or a pin of nothing: 5, and nothing is put away', async () => {
    const { vm, ids } = await simple();
    await vm.must('pin', `default/db@${ids[1]}`, '--name', 'audit');
    const pin = join(vm.path, 'pins', `${ids[1]}.audit.json`);
    const broken = vm.copy();
    cpSync(pin, join(broken.path, 'pins', `${ids[1]}.other.json`));
    writeFileSync(join(vm.path, 'sets', `${ids[0]}.json`), '{}\n');
    for (const one of [vm, broken]) {
      const before = one.files();
      expect(await one.run('prune', '--keep-last', '1')).toMatchObject({ code: 5 });
      expect(one.files()).toEqual(before);
    }
  });
});

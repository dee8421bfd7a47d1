import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterAll, describe, expect, it } from 'vitest';
import { day, dispose, simple, type Vm } from './pruning-vm.ts';

afterAll(dispose);

const files = (vm: Vm): string[] => readdirSync(join(vm.path, 'pins'));

describe('pin', () => {
  it('is one file, shows in list and show, and once more changes nothing; other words replace it', async () => {
    const { vm, ids } = await simple();
    const set = `default/db@${ids[1]}`;
    const { records, text } = await vm.must('pin', set, '--name', 'audit', '--until', '2026-03-01T00:00:00Z');
    expect(records).toMatchObject([{ kind: 'BackupSet', id: ids[1], pins: ['audit'] }]);
    expect(text).toEqual([`${set}  pinned audit`]);
    const file = join(vm.path, 'pins', `${ids[1]}.audit.json`);
    const before = readFileSync(file, 'utf8');
    vm.today += day;
    expect((await vm.must('pin', set, '--name', 'audit', '--until', '2026-03-01T00:00:00Z')).text).toEqual([
      `${set}  pinned audit, as before`,
    ]);
    expect(readFileSync(file, 'utf8')).toBe(before);
    await vm.must('pin', set, '--name', 'audit', '--reason', 'the auditors come');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ reason: 'the auditors come', until: null });
    await vm.must('pin', set, '--name', 'also');
    const { records: listed } = await vm.must('list');
    expect(listed.find(({ id }) => id === ids[1])).toMatchObject({ pins: ['also', 'audit'] });
    expect((await vm.must('show', set)).records[0]).toMatchObject({ pins: ['also', 'audit'] });
    expect((await vm.must('list')).text.find((line) => line.startsWith(set))).toMatch(/pinned also, audit$/);
    await vm.must('validate');
  });

  it('is taken off; one that is not there is off already', async () => {
    const { vm, ids } = await simple();
    const set = `default/db@${ids[0]}`;
    await vm.must('pin', set, '--name', 'audit');
    expect((await vm.must('pin', set, '--remove', 'audit')).text).toEqual([`${set}  not pinned`]);
    expect((await vm.must('pin', set, '--remove', 'audit')).text).toEqual([`${set}  not pinned, as before`]);
    expect(files(vm)).toEqual([]);
  });

  it('that ended is swept by the next writer, and keeps nothing', async () => {
    const { vm, ids } = await simple();
    await vm.must('pin', `default/db@${ids[0]}`, '--name', 'audit', '--until', '2d');
    vm.today += day;
    await vm.prune('--keep-last', '1', '--fold', 'never');
    expect(vm.ids('sets')).toEqual([ids[0], ids[3]]);
    vm.today += 2 * day;
    await vm.prune('--keep-last', '1', '--fold', 'never');
    expect([vm.ids('sets'), files(vm)]).toEqual([[ids[3]], []]);
  });

  it('is refused with its code, and nothing changes', async () => {
    const { vm, ids } = await simple();
    const before = vm.files();
    const lock = await local().change({ op: 'lock', path: join(vm.path, 'lock') });
    expect((await vm.run('pin', `default/db@${ids[0]}`, '--name', 'a')).code).toBe(4);
    lock.release();
    const rows: [number, string[]][] = [
      [2, [`default/db@${ids[0]}`]],
      [2, [`default/db@${ids[0]}`, '--name', 'A']],
      [2, [`default/db/data@${ids[0]}`, '--name', 'a']],
      [2, ['default/db', '--name', 'a']],
      [2, [`default/db@${ids[0]}`, '--name', 'a', '--until', '2020-01-01T00:00:00Z']],
      [3, ['default/db@20990101', '--name', 'a']],
      [3, ['default/other@latest', '--name', 'a']],
    ];
    for (const [code, words] of rows) expect([words, (await vm.run('pin', ...words)).code]).toEqual([words, code]);
    const dry = await vm.must('pin', `default/db@${ids[0]}`, '--name', 'a', '-n');
    expect(dry.steps.at(-2)).toMatch(/^mv -T -- \S*\/pins\/\.tmp-\S+ \S*\.a\.json$/);
    expect(vm.files()).toEqual(before);
    expect(existsSync(join(vm.path, 'pins'))).toBe(false);
    writeFileSync(join(vm.path, 'sets', `${ids[0]}.json`), '{}');
    expect((await vm.run('pin', `default/db@${ids[1]}`, '--name', 'a')).code).toBe(5);
  });
});

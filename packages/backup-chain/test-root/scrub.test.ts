import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { hold } from '@platter/host/hold';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { Pace } from '../src/pace.ts';
import { cluster } from '../test/model.ts';
import { tool } from '../test/tool.ts';
import { Bench, dataFile, digestFile, type Fixture, flip, manifestFile } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

const scrub = (root: string, ...words: string[]) => tool(['scrub', '--repo', root, ...words]);
const checkedFile = ({ disk }: Fixture): string => join(disk, 'checked.json');
const checkedOf = (f: Fixture): Record<string, { at: string; ok: boolean }> =>
  JSON.parse(readFileSync(checkedFile(f), 'utf8'));
const note = (f: Fixture, all: Record<number, [at: string, ok: boolean]>): void => {
  const entries = Object.entries(all).map(([n, [at, ok]]) => [basename(dataFile(f, Number(n))), { at, ok }]);
  writeFileSync(checkedFile(f), JSON.stringify(Object.fromEntries(entries)));
};
const filesOf = (records: readonly Record<string, unknown>[]) =>
  records.filter(({ kind }) => kind === 'Scrub').map(({ file }) => file);

describe('scrub', () => {
  it('reads every file, says so, and notes when', async () => {
    const f = bench.copy();
    const { records, misfits, code } = await scrub(f.root);
    expect([code, misfits]).toEqual([0, []]);
    expect(filesOf(records).sort()).toEqual([0, 1, 2, 3].map((n) => dataFile(f, n)).sort());
    expect(records.every(({ ok }) => ok === true)).toBe(true);
    const checked = checkedOf(f);
    for (const { file, at } of records) expect(checked[basename(String(file))]).toEqual({ at, ok: true });
    expect((await tool(['validate', '--repo', f.root])).code).toBe(0);
  });

  it('the least recently checked first, and goes on there the next time', async () => {
    const f = bench.copy();
    note(f, {
      0: ['2026-01-03T00:00:00Z', true],
      2: ['2026-01-01T00:00:00Z', true],
      3: ['2026-01-02T00:00:00Z', true],
    });
    const { records } = await scrub(f.root);
    expect(filesOf(records)).toEqual([1, 2, 3, 0].map((n) => dataFile(f, n)));
    expect(filesOf((await scrub(f.root, '--bytes', '1')).records)).toEqual([dataFile(f, 1)]);
    expect(filesOf((await scrub(f.root, '--bytes', '1')).records)).toEqual([dataFile(f, 2)]);
  });

  it('--older-than, --bytes and --for end it between files', async () => {
    const f = bench.copy();
    const at = Date.parse('2026-01-31T00:00:00Z');
    note(f, {
      0: ['2026-01-30T00:00:00Z', true],
      1: ['2026-01-20T00:00:00Z', true],
      2: ['2026-01-21T00:00:00Z', true],
    });
    const run = (...words: string[]) => tool(['scrub', '--repo', f.root, '-n', ...words], { at });
    expect((await run('--older-than', '7d')).steps.length).toBe(3);
    expect((await run('--older-than', '12h')).steps.length).toBe(4);
    const later = await tool(['scrub', '--repo', f.root, '--for', '4s'], { at });
    expect(filesOf(later.records)).toEqual([3, 1].map((n) => dataFile(f, n)));
    const size = readFileSync(dataFile(f, 0)).length;
    note(f, {});
    const order = [0, 1, 2, 3].map((n) => dataFile(f, n)).sort();
    const first = filesOf((await scrub(f.root, '--bytes', String(size + 1))).records);
    expect(first).toEqual(order.slice(0, first.length));
    expect(first.length).toBeLessThan(4);
  });

  it('of an address reads what that needs; of a set the chains of its disks', async () => {
    const f = bench.copy();
    const { records } = await scrub(f.root, `default/db/data@${f.ids[1]}`);
    expect(filesOf(records).sort()).toEqual([0, 1].map((n) => dataFile(f, n)).sort());
    expect(filesOf((await scrub(f.root, 'default/db@latest', `default/db/data@${f.ids[0]}`)).records).length).toBe(4);
  });

  it('rot in a layer that no set names lists where it is and all points that are lost, and goes on', async () => {
    const f = bench.copy();
    rmSync(join(f.root, 'vms/default/db/sets', `${f.ids[1]}.json`));
    flip(dataFile(f, 1), 4 * cluster + 77);
    flip(dataFile(f, 3), 2 * cluster);
    const { records, code, misfits } = await scrub(f.root);
    expect([code, misfits]).toEqual([5, []]);
    const found = records.filter(({ kind }) => kind === 'Finding');
    const of = (n: number) => found.filter(({ object }) => object === dataFile(f, n));
    expect(of(1)).toEqual([
      expect.objectContaining({
        severity: 'error',
        at: 4 * cluster,
        guest: 41 * cluster,
        dependents: f.ids.slice(1),
      }),
    ]);
    expect(of(3)).toMatchObject([{ at: 2 * cluster, guest: 14 * cluster, dependents: [f.ids[3]] }]);
    expect(filesOf(records).length).toBe(4);
    expect(Object.values(checkedOf(f)).filter(({ ok }) => !ok).length).toBe(2);
    expect((await scrub(f.root, '--older-than', '1d')).code).toBe(5);
  });

  it('rot in a table, in the digest list, a file that is cut, missing or a link, a manifest that cannot be read', async () => {
    const spoils: [spoil: (f: Fixture) => void, object: (f: Fixture) => string, count: number][] = [
      [(f) => flip(dataFile(f, 1), cluster + 3), (f) => dataFile(f, 1), 4],
      [(f) => flip(digestFile(f, 1), 40), (f) => digestFile(f, 1), 4],
      [(f) => execFileSync('truncate', ['-s', '-65536', dataFile(f, 1)]), (f) => dataFile(f, 1), 4],
      [(f) => rmSync(dataFile(f, 1)), (f) => dataFile(f, 1), 4],
      [(f) => rmSync(digestFile(f, 1)), (f) => dataFile(f, 1), 4],
      [
        (f) => {
          renameSync(dataFile(f, 1), join(f.root, 'elsewhere'));
          execFileSync('ln', ['-s', join(f.root, 'elsewhere'), dataFile(f, 1)]);
        },
        (f) => dataFile(f, 1),
        4,
      ],
      [(f) => flip(manifestFile(f, 1), 30), (f) => manifestFile(f, 1), 3],
    ];
    for (const [spoil, object, count] of spoils) {
      const f = bench.copy();
      chmodSync(dataFile(f, 1), 0o644);
      spoil(f);
      const { records, code } = await scrub(f.root);
      expect(code, String(spoil)).toBe(5);
      const found = records.filter(({ kind }) => kind === 'Finding');
      expect(found, String(spoil)).toMatchObject([{ object: object(f), guest: null }]);
      expect(filesOf(records).length, String(spoil)).toBe(count);
    }
  });

  it('a file that was merged away meanwhile is no damage', async () => {
    const f = bench.copy();
    const machine = local();
    const host: Host = {
      dry: false,
      change: (change) => machine.change(change),
      query: (query) => {
        if (query.op === 'hold' && query.path === dataFile(f, 3)) {
          rmSync(dataFile(f, 3), { force: true });
          rmSync(manifestFile(f, 3), { force: true });
        }
        return machine.query(query);
      },
    };
    const { code, records } = await tool(['scrub', '--repo', f.root], { host });
    expect([code, filesOf(records).length]).toEqual([0, 3]);
  });

  it('a file that cannot be read is told, the others are read, and it is 1', async () => {
    const f = bench.copy();
    const machine = local();
    const host: Host = {
      dry: false,
      change: (change) => machine.change(change),
      query: (query) => {
        if (query.op !== 'hold' || query.path !== dataFile(f, 1)) return machine.query(query);
        return Promise.reject(new Failure('failed', 'cannot read it'));
      },
    };
    const { code, records, notes } = await tool(['scrub', '--repo', f.root], { host });
    expect([code, filesOf(records).length, notes]).toEqual([1, 3, ['cannot read it']]);
    expect(Object.keys(checkedOf(f)).length).toBe(3);
  });

  it('what checked.json holds is advice: anything there is put up with', async () => {
    const f = bench.copy();
    for (const text of [
      '',
      'null',
      '[1]',
      '{"x":{"at":"yesterday","ok":1}}',
      '{"gone.0.qcow2":{"at":"2026-01-01T00:00:00Z","ok":true}}',
    ]) {
      writeFileSync(checkedFile(f), text);
      expect((await scrub(f.root)).code).toBe(0);
      expect(Object.keys(checkedOf(f)).length).toBe(4);
    }
  });

  it('opens no data file for writing; a dry run changes nothing and shows the order', async () => {
    const f = bench.copy();
    const before = await tree(f.root);
    const { steps } = await scrub(f.root, '-n');
    expect(steps.sort()).toEqual([0, 1, 2, 3].map((n) => `sha256sum -- ${dataFile(f, n)}`).sort());
    expect(await tree(f.root)).toEqual(before);
    const { calls, code } = await strace(['backup-chain', 'scrub', '--repo', f.root], {
      trace: 'openat,unlink,rename',
    });
    expect(code).toBe(0);
    const touched = calls.filter(
      (call) => call.includes(`"${f.root}/`) && /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|^unlink|^rename/.test(call),
    );
    expect(touched.length).toBeGreaterThan(0);
    expect(touched.filter((call) => !call.includes('checked.json'))).toEqual([]);
    const { [checkedFile(f).slice(f.root.length + 1)]: _, ...after } = await tree(f.root);
    expect(after).toEqual(before);
  });

  it('--rate below a chunk is exit 2', async () => {
    expect((await scrub(bench.good, '--rate', '1K')).code).toBe(2);
  });
});

describe('a pace', () => {
  const reading = async (rate: number | null, slow = 0) => {
    const path = join(bench.folder, 'paced');
    const content = Uint8Array.from({ length: 9 * cluster + 100 }, (_, n) => n >> 8);
    writeFileSync(path, content);
    let time = 1000;
    const waits: number[] = [];
    const clock = {
      now: () => time,
      wait: async (ms: number) => {
        waits.push(ms);
        time += ms;
      },
    };
    const pace = new Pace(clock, rate);
    const parts: Uint8Array[] = [];
    const held = hold(path);
    for await (const { bytes } of pace.read(held, 2)) {
      parts.push(bytes.slice());
      time += slow;
    }
    held.close();
    expect(Buffer.concat(parts).subarray(0, content.length).equals(content)).toBe(true);
    return waits;
  };

  it('reads all of a file, at most so many bytes a second', async () => {
    expect(await reading(2 * cluster)).toEqual([1000, 1000, 1000, 1000]);
    expect(await reading(3 * cluster + 1)).toHaveLength(3);
  });

  it('does not wait where reading is slower, and does not make up for it', async () => {
    expect(await reading(2 * cluster, 1500)).toEqual([]);
    expect(await reading(2 * cluster, 400)).toEqual([600, 600, 600, 600]);
  });

  it('of none waits never', async () => {
    expect(await reading(null)).toEqual([]);
  });

  it('of a scrub sleeps by the door', async () => {
    const machine = local();
    const slept: number[] = [];
    const host: Host = {
      dry: false,
      change: (change) => machine.change(change),
      query: (query) => {
        if (query.op !== 'run' || query.program !== 'sleep') return machine.query(query);
        slept.push(Number(query.args[0]));
        return Promise.resolve({ code: 0, stdout: '', stderr: '', report: '' }) as never;
      },
    };
    const f = bench.copy();
    const { code } = await tool(['scrub', '--repo', f.root, '--rate', '64K'], { host });
    expect(code).toBe(0);
    expect(slept.length).toBeGreaterThan(0);
  });
});

needs('root', 'ext4')('scrub on a read-only mount', () => {
  it('works and records nothing', async () => {
    await using ground = await mounted('ext4', 64 * 2 ** 20);
    const root = join(ground.path, 'repo');
    execFileSync('cp', ['-r', bench.good, root]);
    execFileSync('mount', ['-o', 'remount,ro', ground.path]);
    const { code, notes, records } = await scrub(root);
    execFileSync('mount', ['-o', 'remount,rw', ground.path]);
    expect([code, filesOf(records).length]).toEqual([0, 4]);
    expect(notes.filter((one) => one.includes('is not recorded')).length).toBeGreaterThan(0);
    expect(existsSync(join(root, 'vms/default/db/disks/data/checked.json'))).toBe(false);
  });
});

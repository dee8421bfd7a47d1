import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { shown } from '@platter/host/shown';
import { stateId } from '@platter/qcow2/digest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { chainOf } from '../src/chain.ts';
import { openChain } from '../src/opening.ts';
import { openRepository, readVm } from '../src/repository.ts';
import { spans, stackOf } from '../src/stack.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { History, statesOf, steps } from './history.ts';
import { flip, forge } from './repository.ts';

const merge = (history: History, run: string, ...more: string[]) =>
  tool(['merge', `default/db/data@${run}`, '--repo', history.root, ...more]);

async function merged(history: History, from: string, to: string): Promise<void> {
  await done(['merge', `default/db/data@${from}..${to}`, '--repo', history.root]);
}

const simple = (): Promise<History> => {
  const disk = new Disk(24 * cluster).write(0, 1, 2, 3, 20);
  const states = [disk.bytes.slice()];
  states.push(disk.write(1, 4).zero(2).bytes.slice());
  states.push(disk.write(2, 5).zero(3).bytes.slice());
  states.push(disk.write(6).zero(1).bytes.slice());
  return new History().make(states);
};

/** Every point that is there shows what the disk held then, and every file is sound to the last byte. */
async function holds(history: History): Promise<void> {
  await done(['validate', '--repo', history.root, '--level', 'deep']);
  for (const id of history.ids)
    expect((await history.restored(id)).equals(history.states.get(id) ?? Buffer.of())).toBe(true);
}

/** What the files from one point up to another say themselves: their zeros and their data, as guest ranges. */
async function said(history: History, from: string, to: string): Promise<unknown[]> {
  const host = local();
  const facts = await readVm(host, await openRepository(host, history.root), { namespace: 'default', vm: 'db' });
  const [disk] = facts.disks as [(typeof facts.disks)[number]];
  const { links: points } = chainOf({ facts, disk }, to);
  const { links } = await openChain(host, disk, points);
  const upper = stackOf(links.slice(points.findIndex(({ id }) => id === from)));
  const found: string[] = [];
  for await (const { at, length, kind } of spans(upper, { at: 0, length: upper.virtualSize }, cluster))
    for (let n = 0; kind !== 'absent' && n < length; n += cluster) found.push(`${kind} ${at + n}`);
  for (const { held } of links) held.close();
  return found;
}

const share = fc.nat(999).map((n) => n / 1000);
const pick = (ids: readonly string[], at: number): string => ids[Math.floor(at * ids.length)] as string;

describe('merge', () => {
  it('takes up increments, then folds the full; every point that stays shows the same', async () => {
    using history = await simple();
    const [full, one, two, last] = history.ids as [string, string, string, string];
    const { records, failure } = await merge(history, `${one}..${two}`);
    expect(failure).toBeNull();
    expect(records).toMatchObject([{ kind: 'Merge', from: [one], into: two, became: 'incremental', method: 'write' }]);
    expect(history.ids).toEqual([full, two, last]);
    await holds(history);
    expect((await merge(history, `${one}..${two}`)).records).toMatchObject([{ from: [], method: null }]);
    expect((await merge(history, `${full}..latest`)).records).toMatchObject([{ from: [full, two], became: 'full' }]);
    expect(history.ids).toEqual([last]);
    await holds(history);
  });
});

describe('a disk that changed its size', () => {
  it('gets no zeros stored behind all that is below, and those that hide something', async () => {
    const disk = new Disk(24 * cluster).write(0, 1, 20, 23);
    const states = [disk.bytes.slice()];
    states.push(
      disk
        .write(1)
        .resize(10 * cluster)
        .bytes.slice(),
    );
    states.push(
      disk
        .resize(9000 * cluster)
        .write(2)
        .bytes.slice(),
    );
    using history = await new History().make(states);
    await merged(history, history.ids[1] as string, history.ids[2] as string);
    await holds(history);
    const [path = ''] = readdirSync(join(history.disk, 'points')).slice(-1);
    const { data } = JSON.parse(readFileSync(join(history.disk, 'points', path), 'utf8'));
    // 14 clusters that were cut off, and the one at whose end they were.
    expect(data).toMatchObject({ dataClusters: 2, zeroClusters: 15 });
  });
});

/** The files of a repository and their bytes. */
const everything = (history: History): Map<string, string> => {
  const files = readdirSync(history.root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !/\/(lock|use)$/.test(path));
  return new Map(paths.sort().map((path) => [path, hash('sha256', readFileSync(path))]));
};

describe('refusals', () => {
  const none = '20000101T000000Z-0000';
  it.each<[string, (ids: readonly string[]) => string, number]>([
    ['what is no run of points', () => 'latest', 2],
    ['a first point that is no id', ([, one]) => `@${one}..latest`, 2],
    ['a first point that is not there', () => `${none}..latest`, 3],
    ['a last point that is not there', ([, one]) => `${one}..${none}`, 3],
    ['a last point that comes before the first', ([, one, two]) => `${two}..${one}`, 3],
    ['a point with itself', ([, one]) => `${one}..${one}`, 3],
    ['an id that can mean several', ([, one]) => `${one?.slice(0, 8)}..latest`, 3],
  ])('%s', async (_, run, code) => {
    using history = await simple();
    const before = everything(history);
    expect((await merge(history, run(history.ids))).code).toBe(code);
    expect(everything(history)).toEqual(before);
  });

  it('a point that a set names, naming the set', async () => {
    using history = await simple();
    const [, one, two] = history.ids as [string, string, string];
    const image = join(history.folder, 'disk.raw');
    await done(['capture', '--repo', history.root, '--vm', 'db', `data=${image}`, '--format', 'raw']);
    const [set = ''] = readdirSync(join(history.vm, 'sets'));
    const newest = history.ids.at(-1) as string;
    const disk = new Disk(0);
    disk.bytes = (history.states.get(newest) as Uint8Array).slice();
    disk.write(9).save(image);
    await done(['capture', '--repo', history.root, '--vm', 'db', `data=${image}`, '--format', 'raw']);
    const before = everything(history);
    const { code, failure } = await merge(history, `${one}..latest`);
    expect(code).toBe(3);
    expect(failure).toMatchObject({ details: { by: `default/db@${set.slice(0, -5)}` } });
    expect(everything(history)).toEqual(before);
    expect((await merge(history, `${one}..${two}`)).code).toBe(0);
  });

  it('a chain that is damaged: 5, naming the file', async () => {
    using history = await simple();
    const [, one, two] = history.ids as [string, string, string];
    flip(join(history.disk, 'data', `${two}.0.qcow2`), 2 * cluster + 9);
    const before = everything(history);
    const { code, failure } = await merge(history, `${one}..${two}`);
    expect(code).toBe(5);
    expect(failure?.message).toContain(`${two}.0.qcow2`);
    expect(everything(history)).toEqual(before);
  });

  it('a chain that would not show the same: 5, and the repository is as before', async () => {
    using history = await simple();
    const last = history.ids.at(-1) as string;
    const manifest = join(history.disk, 'points', `000004-${last}.json`);
    forge(manifest, (point) => {
      point.contentSha256 = hash('sha256', 'another');
      point.stateId = stateId((point.disk as { uid: string }).uid, String(point.contentSha256));
    });
    const before = everything(history);
    for (const from of history.ids.slice(0, 2)) {
      const { code, failure } = await merge(history, `${from}..latest`);
      expect(code).toBe(5);
      expect(failure?.message).toContain('would not show the same');
      expect(everything(history)).toEqual(before);
    }
  });

  it('a locked VM: 4; another disk or VM: 3', async () => {
    using history = await simple();
    const lock = await local().change({ op: 'lock', path: join(history.vm, 'lock') });
    expect((await merge(history, `${history.ids[1]}..latest`)).code).toBe(4);
    lock.release();
    const run = `${history.ids[1]}..latest`;
    for (const place of ['default/db/other', 'default/web/data'])
      expect((await tool(['merge', `${place}@${run}`, '--repo', history.root])).code).toBe(3);
  });
});

describe('order', () => {
  it('durable files in place, the entry of the trash, the manifest, and then what it made needless', async () => {
    using history = await simple();
    const [, one, two, last] = history.ids as [string, string, string, string];
    const machine = local();
    const seen: string[] = [];
    const host: Host = {
      dry: false,
      query: (query) => machine.query(query),
      change: (change) => {
        seen.push(
          shown(change)
            .replaceAll(`${history.vm}/`, '')
            .replaceAll(/\S+-merge-\S{4}/g, 'ENTRY'),
        );
        return machine.change(change);
      },
    };
    await done(['merge', `default/db/data@${one}..${last}`, '--repo', history.root], { host });
    const steps = seen.filter((line) => /^(sync|mv)|why.json/.test(line)).map((line) => line.split(' > ')[0] ?? '');
    const [data, points] = ['disks/data/data', 'disks/data/points'];
    const manifest = `${points}/000004-${last}.json`;
    const moved = (name: string) => `mv -T -- ${name} ENTRY/${name}`;
    expect(steps.map((line) => (line.includes('why.json') ? 'why.json' : line))).toEqual([
      `sync -- ${data}/.tmp-${last}.1.qcow2`,
      `sync -- ${data}/.tmp-${last}.1.dig`,
      `mv -T -- ${data}/.tmp-${last}.1.qcow2 ${data}/${last}.1.qcow2`,
      `mv -T -- ${data}/.tmp-${last}.1.dig ${data}/${last}.1.dig`,
      `sync -- ${data}`,
      'why.json',
      'sync -- ENTRY',
      'sync -- trash',
      `mv -T -- ${points}/.tmp-000004-${last}.json ${manifest}`,
      `sync -- ${points}`,
      'sync -- ENTRY',
      'sync -- ENTRY/disks',
      'sync -- ENTRY/disks/data',
      moved(`${points}/000003-${two}.json`),
      moved(`${points}/000002-${one}.json`),
      ...[two, one, last].flatMap((id) => [moved(`${data}/${id}.0.qcow2`), moved(`${data}/${id}.0.dig`)]),
      `sync -- ENTRY/${points}`,
      `sync -- ${points}`,
      `sync -- ENTRY/${data}`,
      `sync -- ${data}`,
    ]);
  });

  it('a dry run shows it and does nothing of it; what it prints for the data gives the same', async () => {
    using history = await simple();
    const [full, one, two] = history.ids as [string, string, string];
    const before = everything(history);
    const dry = await merge(history, `${one}..${two}`, '-n');
    expect(everything(history)).toEqual(before);
    const { records } = await merge(history, `${one}..${two}`);
    expect(dry.records).toEqual(records);
    const lines = dry.steps.filter((line) => line.startsWith('qemu-img'));
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['create', 'rebase', 'rebase']);
    const trash = join(history.vm, 'trash', readdirSync(join(history.vm, 'trash'))[0] ?? '', 'disks/data/data');
    const file = join(history.folder, 'by-hand.qcow2');
    const here = (line: string) =>
      line.replaceAll(/\S+\.tmp-\S+/g, file).replaceAll(new RegExp(`[^"]*/(${one}|${two})`, 'g'), `${trash}/$1`);
    execFileSync('sh', ['-euc', lines.map(here).join('\n')]);
    const node = (name: string, backing: object | null) => ({
      driver: 'qcow2',
      file: { driver: 'file', filename: name },
      backing,
    });
    const chain = `json:${JSON.stringify(node(file, node(join(history.disk, 'data', `${full}.0.qcow2`), null)))}`;
    execFileSync('qemu-img', ['convert', '-O', 'raw', chain, `${file}.raw`]);
    expect(readFileSync(`${file}.raw`).equals(history.states.get(two) ?? Buffer.of())).toBe(true);
  });
});

describe('laws', () => {
  it('any sequence of merges keeps what every point that stays shows', async () => {
    const plans = fc.array(fc.tuple(share, share), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(steps, plans, async (all, picks) => {
        using history = await new History().make(statesOf(all));
        for (const [a, b] of picks) {
          const [from, to] = [pick(history.ids, Math.min(a, b)), pick(history.ids, Math.max(a, b))];
          if (from === to) continue;
          await merged(history, from, to);
          await holds(history);
          expect(readdirSync(join(history.disk, 'data'))).toHaveLength(2 * history.ids.length);
        }
      }),
      effort(8),
    );
  }, 600_000);

  it('of foreign files, in whatever way their sizes change, keeps it too', async () => {
    const sectors = fc.integer({ min: 1, max: 12 * 128 });
    const file = fc.record({
      size: sectors,
      writes: fc.array(fc.nat(11), { maxLength: 4 }),
      zeros: fc.array(fc.nat(11), { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 3, maxLength: 5 }), share, share, async (files, a, b) => {
        using history = await new History().make([]);
        const paths = files.map(({ size, writes, zeros }, n) => {
          const path = join(history.folder, `${n}.qcow2`);
          execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(size * 512)]);
          const fits = (at: number) => at * cluster < size * 512;
          const length = (at: number) => Math.min(cluster, size * 512 - at * cluster);
          const words = [
            ...writes.filter(fits).map((at) => `write -P ${n + 1} ${at * cluster} ${length(at)}`),
            ...zeros.filter(fits).map((at) => `write -z ${at * cluster} ${length(at)}`),
          ];
          if (words.length > 0)
            execFileSync('qemu-io', ['-f', 'qcow2', ...words.flatMap((word) => ['-c', word]), path], { stdio: 'pipe' });
          return `data=${path}`;
        });
        await done(['import', '--repo', history.root, '--vm', 'db', ...paths]);
        rmSync(join(history.vm, 'sets'), { recursive: true });
        mkdirSync(join(history.vm, 'sets'));
        for (const id of history.ids) history.states.set(id, await history.restored(id));
        const [from, to] = [pick(history.ids, Math.min(a, b)), pick(history.ids, Math.max(a, b))];
        fc.pre(from !== to);
        await merged(history, from, to);
        await holds(history);
      }),
      effort(8),
    );
  }, 600_000);

  it('an increment that took up others says what they said: the same data, the same zeros', async () => {
    const still = steps.map((all) => all.map((step) => ({ ...step, size: null })));
    await fc.assert(
      fc.asyncProperty(still, share, share, async (all, a, b) => {
        using history = await new History().make(statesOf(all));
        const ids = history.ids.slice(1);
        const [from, to] = [pick(ids, Math.min(a, b)), pick(ids, Math.max(a, b))];
        fc.pre(ids.length > 1 && from !== to);
        const before = await said(history, from, to);
        await merged(history, from, to);
        expect(await said(history, to, to)).toEqual(before);
      }),
      effort(10),
    );
  }, 600_000);

  it('merging in two steps is merging in one', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(1), async (all, first) => {
        using history = await new History().make(statesOf(all));
        const ids = history.ids.slice(first);
        fc.pre(ids.length > 2);
        using other = history.copy();
        const [from, between, to] = [ids[0], ids[1], ids.at(-1)] as [string, string, string];
        await merged(history, from, to);
        await merged(other, from, between);
        await merged(other, between, to);
        for (const one of [history, other]) await holds(one);
        expect(await said(other, to, to)).toEqual(await said(history, to, to));
        expect(other.ids).toEqual(history.ids);
      }),
      effort(8),
    );
  }, 600_000);
});

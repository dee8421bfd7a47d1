import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { done, tool } from '../test/tool.ts';
import { type Layer, makeChain, type Op, pack, pushed, write, zero } from './foreign.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let number = 0;
const next = (): string => {
  number += 1;
  const path = join(folder, String(number));
  mkdirSync(path);
  return path;
};
const KiB = 1024;

interface Ground {
  dir: string;
  root: string;
  files: string[];
  states: Uint8Array[];
  /** `import --vm db` with these words. */
  bring: (...words: string[]) => ReturnType<typeof tool>;
}

async function ground(layers: readonly Layer[] = pushed(10)): Promise<Ground> {
  const dir = next();
  const root = join(dir, 'repo');
  mkdirSync(root);
  await done(['init', '--repo', root]);
  const files = layers.map((_, n) => join(dir, `f${n}.qcow2`));
  const states = makeChain(files, layers);
  return { dir, root, files, states, bring: (...words) => tool(['import', '--repo', root, '--vm', 'db', ...words]) };
}

const words = (files: readonly string[], disk = 'data'): string[] => files.map((file) => `${disk}=${file}`);
const pointIds = (root: string, disk = 'data'): string[] =>
  readdirSync(join(root, 'vms/default/db/disks', disk, 'points'))
    .sort()
    .map((name) => name.slice(7, -5));

async function restored(root: string, address: string): Promise<Buffer> {
  const to = join(next(), 'disk');
  await done(['restore', address, '--repo', root, '--file', '--to', to, '--verify', 'full']);
  return readFileSync(to);
}

/** Every point of the disk holds what the disk held then, and every byte of the repository is proven. */
async function holds({ root, states }: Ground, disk = 'data'): Promise<void> {
  const ids = pointIds(root, disk);
  expect(ids).toHaveLength(states.length);
  for (const [n, id] of ids.entries())
    expect((await restored(root, `default/db/${disk}@${id}`)).equals(states[n] as Uint8Array)).toBe(true);
  await done(['validate', '--repo', root, '--level', 'deep']);
}

const everything = async ({ root }: Ground) => tree(root);

/** Refused with this exit, and nothing in the repository is another than before. */
async function refuses(site: Ground, code: number, ...said: string[]): Promise<Awaited<ReturnType<typeof tool>>> {
  const before = await everything(site);
  const ran = await site.bring(...said);
  expect([ran.code, ran.failure?.message]).toEqual([code, ran.failure?.message]);
  expect(await everything(site)).toEqual(before);
  return ran;
}

describe('import of files', () => {
  it('keeps canonical files byte for byte, as points of a set each; again they exist', async () => {
    const site = await ground();
    const { records, text } = await site.bring(...words(site.files), '--label', 'a=b');
    expect(records).toMatchObject([
      { kind: 'BackupPoint', outcome: 'created', type: 'full', links: 1, capture: { fullReason: 'imported' } },
      { kind: 'BackupSet' },
      { outcome: 'created', type: 'incremental', links: 2, data: { dataClusters: 1, zeroClusters: 2 } },
      { kind: 'BackupSet' },
      {
        outcome: 'created',
        links: 3,
        capture: { engine: 'import-files', unproven: ['order', 'completeness', 'content'] },
      },
      { kind: 'BackupSet', labels: { a: 'b' }, consistency: 'unknown', capturedAtFrom: 'mtime' },
    ]);
    const ids = pointIds(site.root);
    expect(text).toEqual([
      `default/db@${ids.join(', ')}  3 sets, 1 disk, 3 points; order, completeness and content are taken from you`,
    ]);
    for (const [n, id] of ids.entries())
      expect(
        readFileSync(join(site.root, `vms/default/db/disks/data/data/${id}.0.qcow2`)).equals(
          readFileSync(site.files[n] as string),
        ),
      ).toBe(true);
    await holds(site);
    const before = await everything(site);
    const again = await done(['import', '--repo', site.root, '--vm', 'db', ...words(site.files)]);
    expect(again.records.map(({ outcome, id }) => [outcome, id])).toEqual(
      ids.flatMap((id) => [
        ['exists', id],
        [undefined, id],
      ]),
    );
    expect(again.records[0]).toMatchObject({ hidden: false, dependents: 2, links: 1, restoreBytes: 10 * 64 * KiB });
    expect(await everything(site)).toEqual(before);
  });

  it('knows moved copies by their content, goes on with more, and takes increments --after a point', async () => {
    const site = await ground();
    const [f0, f1, f2] = site.files as [string, string, string];
    await site.bring(`data=${f0}`);
    const moved = join(site.dir, 'moved.qcow2');
    copyFileSync(f0, moved);
    const { records } = await site.bring(`data=${moved}`, `data=${f1}`);
    expect(records.map(({ outcome }) => outcome)).toEqual(['exists', undefined, 'created', undefined]);
    const last = pointIds(site.root).at(-1) as string;
    const after = await done(['import', '--repo', site.root, '--vm', 'db', `data=${f2}`, '--after', last]);
    expect(after.records[0]).toMatchObject({ outcome: 'created', parent: { id: last } });
    const twice = await done(['import', '--repo', site.root, '--vm', 'db', `data=${f2}`, '--after', last]);
    expect(twice.records[0]).toMatchObject({ outcome: 'exists' });
    await holds(site);
  });

  it('--full starts a new chain, once; several disks make sets of all', async () => {
    const site = await ground();
    const other = await ground(pushed(40));
    await site.bring(...words(site.files));
    const [full] = other.files as [string];
    expect((await refuses(site, 3, `data=${full}`)).failure?.hint).toContain('--full');
    const { records } = await site.bring(`data=${full}`, '--full');
    expect(records[0]).toMatchObject({ outcome: 'created', sequence: 4, type: 'full', parent: null });
    expect((await site.bring(`data=${full}`, '--full')).records[0]).toMatchObject({ outcome: 'exists', sequence: 4 });
    const both = await site.bring(...words(site.files, 'a'), ...words(other.files, 'b'), '--uid', 'b=serial-1');
    expect(both.records.filter(({ kind }) => kind === 'BackupSet')).toMatchObject(
      [0, 1, 2].map(() => ({ members: [{ disk: 'a' }, { disk: 'b', uid: 'serial-1' }] })),
    );
    await holds({ ...site }, 'a');
    await holds({ ...other, root: site.root }, 'b');
  });

  it('a run that was cut short is gone on with: what is there exists, what is missing is made', async () => {
    const site = await ground();
    await site.bring(...words(site.files));
    const sets = join(site.root, 'vms/default/db/sets');
    const ids = pointIds(site.root);
    rmSync(join(sets, `${ids[2]}.json`));
    rmSync(join(site.root, 'vms/default/db/disks/data/points', `000003-${ids[2]}.json`));
    rmSync(join(sets, `${ids[1]}.json`));
    const { records, failure } = await site.bring(...words(site.files));
    expect(failure).toBeNull();
    expect(records.map(({ kind, outcome, id }) => [kind, outcome, id]).slice(0, 5)).toEqual([
      ['BackupPoint', 'exists', ids[0]],
      ['BackupSet', undefined, ids[0]],
      ['BackupPoint', 'exists', ids[1]],
      ['BackupSet', undefined, ids[1]],
      ['BackupPoint', 'created', expect.any(String)],
    ]);
    await holds(site);
  });

  it('refuses before anything is changed', async () => {
    const site = await ground();
    const [f0, f1, f2] = site.files as [string, string, string];
    const stranger = await ground(pushed(90));
    await refuses(site, 2);
    await refuses(site, 2, 'data');
    await refuses(site, 2, `DATA=${f0}`);
    await refuses(site, 2, `a=${f0}`, `b=${f0}`, `b=${f1}`);
    await refuses(site, 2, `data=${f0}`, '--backup', 'b');
    await refuses(site, 2, `data=${f0}`, '--disks', 'data');
    await refuses(site, 2, `data=${f1}`, '--after', 'x', '--full');
    await refuses(site, 2, `data=${f0}`, '--uid', 'other=x');
    await refuses(site, 3, 'data=/nonexistent');
    await refuses(site, 3, `data=${site.dir}`);
    await refuses(site, 3, `data=${f1}`, '--after', 'nothing');
    expect((await tool(['import', '--repo', folder, '--vm', 'db', `data=${f0}`])).code).toBe(3);
    await site.bring(...words(site.files));
    const ids = pointIds(site.root);
    await refuses(site, 3, `data=${stranger.files[1]}`, '--after', ids[0] as string);
    await refuses(site, 3, `data=${f0}`, '--uid', 'data=another');
    await refuses(site, 3, `data=${f0}`, `data=${f2}`);
    const lock = join(site.root, 'vms/default/db/lock');
    const held = execFileSync('sh', ['-c', `flock -n ${lock} true && echo free`]).toString();
    expect(held).toBe('free\n');
  });

  it('a dry run changes nothing and shows each step once', async () => {
    const odd = { options: 'cluster_size=4k', size: 2048 * KiB, ops: [write(5 * KiB, 100 * KiB, 7)] };
    const site = await ground([...pushed(10), odd]);
    const before = await everything(site);
    const { steps, records, failure } = await site.bring(...words(site.files), '-n');
    expect(failure).toBeNull();
    expect(records.map(({ outcome }) => outcome)).toEqual([0, 1, 2, 3].flatMap(() => ['created', undefined]));
    expect(await everything(site)).toEqual(before);
    expect(steps.filter((line) => line.startsWith('mkdir'))).toHaveLength(
      new Set(steps.filter((line) => line.startsWith('mkdir'))).size,
    );
    expect(steps.filter((line) => line.startsWith('cp '))).toHaveLength(3);
    expect(steps.filter((line) => line.startsWith('qemu-img')).map((line) => line.split(' ')[1])).toEqual([
      'create',
      'rebase',
      'rebase',
    ]);
    const real = await site.bring(...words(site.files));
    const content = ({ contentSha256, data }: Record<string, unknown>) => [
      contentSha256,
      (data as { size?: number } | undefined)?.size,
    ];
    expect(real.records.map(content)).toEqual(records.map(content));
    await holds(site);
  });

  it('shares extents where files can, else copies', async () => {
    await using xfs = await mounted('xfs', 400 * 2 ** 20);
    const root = join(xfs.path, 'repo');
    mkdirSync(root);
    await done(['init', '--repo', root]);
    const files = [0, 1, 2].map((n) => join(xfs.path, `${n}.qcow2`));
    const states = makeChain(files, pushed(10));
    await done(['import', '--repo', root, '--vm', 'db', ...words(files)]);
    const [id] = pointIds(root);
    const file = join(root, `vms/default/db/disks/data/data/${id}.0.qcow2`);
    expect(execFileSync('filefrag', ['-v', file]).toString()).toContain('shared');
    expect(execFileSync('stat', ['-c', '%a', file]).toString()).toBe('444\n');
    await holds({ dir: xfs.path, root, files, states, bring: () => tool([]) });
  });
});

const options = [
  'cluster_size=512',
  'cluster_size=4k',
  'cluster_size=64k,refcount_bits=1',
  'cluster_size=64k',
  'cluster_size=64k,compression_type=zstd',
  'cluster_size=16k,extended_l2=on',
  'cluster_size=128k,extended_l2=on',
  'cluster_size=2M',
] as const;
const clusterOf = (option: string): number => {
  const [, digits, unit] = /cluster_size=(\d+)([kM]?)/.exec(option) as unknown as [string, string, '' | 'k' | 'M'];
  return Number(digits) * { '': 1, k: KiB, M: KiB * KiB }[unit];
};

const opOf = (option: string, size: number): fc.Arbitrary<Op> => {
  const sectors = size / 512;
  const range = fc.tuple(fc.nat(sectors - 1), fc.integer({ min: 1, max: 400 })).map(([at, count]) => ({
    at: at * 512,
    length: Math.min(count, sectors - at) * 512,
  }));
  const value = fc.integer({ min: 1, max: 255 });
  const plain = fc.tuple(range, value).map(([{ at, length }, byte]) => write(at, length, byte));
  const zeros = range.map(({ at, length }) => zero(at, length));
  const unit = clusterOf(option);
  const whole = Math.floor(size / unit);
  if (whole === 0 || unit < 4 * KiB || option.includes('extended_l2') || option.includes('refcount_bits'))
    return fc.oneof(plain, zeros);
  return fc.oneof(
    plain,
    zeros,
    fc.tuple(fc.nat(whole - 1), value).map(([n, byte]) => pack(n * unit, unit, byte)),
  );
};

/** QEMU packs a cluster only where it wrote nothing before. */
const packedFirst = (ops: readonly Op[]): Op[] => {
  const packed = new Map(ops.filter(({ op }) => op === 'pack').map((op) => [op.at, op]));
  return [...packed.values(), ...ops.filter(({ op }) => op !== 'pack')];
};

const layerOf = (first: boolean): fc.Arbitrary<Layer> =>
  fc
    .tuple(
      fc.constantFrom(...options, ...(first ? (['compat=0.10,cluster_size=64k'] as const) : [])),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(127),
    )
    .chain(([option, clusters, sectors]) => {
      const size = clusters * 64 * KiB + sectors * 512;
      return fc
        .array(opOf(option, size), { minLength: first ? 1 : 0, maxLength: 5 })
        .map((ops) => ({ options: option, size, ops: packedFirst(ops) }));
    });

describe('a chain of images of any kind', () => {
  it('is imported so that every point restores to what the disk held', async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(layerOf(true), fc.array(layerOf(false), { maxLength: 4 })), async ([full, more]) => {
        const site = await ground([full, ...more]);
        const { failure } = await site.bring(...words(site.files));
        expect(failure).toBeNull();
        await holds(site);
        const again = await site.bring(...words(site.files));
        expect(
          again.records.filter(({ kind }) => kind === 'BackupPoint').every(({ outcome }) => outcome === 'exists'),
        ).toBe(true);
        rmSync(site.dir, { recursive: true });
      }),
      { seed: 3_4, numRuns: Number(process.env.PLATTER_ROUNDS ?? 8) },
    );
  }, 300_000);

  it('keeps the zeros of an increment that is rewritten, also over data', async () => {
    const site = await ground([
      { size: 1024 * KiB, ops: [write(0, 1024 * KiB, 1)] },
      { options: 'cluster_size=32k', size: 1024 * KiB, ops: [zero(0, 256 * KiB), write(300 * KiB, 7 * KiB, 2)] },
    ]);
    const { records } = await site.bring(...words(site.files));
    expect(records[2]).toMatchObject({ data: { zeroClusters: 4, dataClusters: 1 } });
    await holds(site);
  });
});

describe('a file that says more than it should', () => {
  const full = pushed(10).slice(0, 1);
  const backed = (file: string, name: string) =>
    execFileSync('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', name, file]);

  it('a backing name is never opened: the right one is nothing, another is 3, unless it is put up with', async () => {
    const site = await ground();
    const [, f1, f2] = site.files as [string, string, string];
    backed(f1, '/gone/f0.qcow2');
    backed(f2, 'f1.qcow2');
    const { failure, notes } = await site.bring(...words(site.files));
    expect(failure).toBeNull();
    expect(notes).toEqual([
      `${f1}: it names "f0.qcow2" as its backing file, as it should`,
      `${f2}: it names "f1.qcow2" as its backing file, as it should`,
    ]);
    await holds(site);
    const flat = await ground();
    backed(flat.files[2] as string, 'f0.qcow2');
    expect((await refuses(flat, 3, ...words(flat.files))).failure?.details.by).toContain('names "f0.qcow2"');
    expect((await flat.bring(...words(flat.files), '--ignore-backing')).failure).toBeNull();
    await holds(flat);
    const canary = join(site.dir, 'canary');
    writeFileSync(canary, 'x');
    const alone = await ground(full);
    for (const name of [canary, `json:{"driver":"file","filename":"${canary}"}`, 'nbd://127.0.0.1:1/x']) {
      execFileSync('qemu-img', [
        'create',
        '-q',
        '-u',
        '-f',
        'qcow2',
        '-b',
        name,
        '-F',
        'raw',
        alone.files[0] as string,
        '1M',
      ]);
      await refuses(alone, 3, ...words(alone.files), '--ignore-backing');
    }
  });

  it('goes on from an imported point by the name of its file', async () => {
    const site = await ground();
    const [f0, f1] = site.files as [string, string];
    await site.bring(`data=${f0}`);
    const [id] = pointIds(site.root) as [string];
    backed(f1, 'other.qcow2');
    await refuses(site, 3, `data=${f1}`, '--after', id);
    backed(f1, 'f0.qcow2');
    expect((await site.bring(`data=${f1}`, '--after', id)).failure).toBeNull();
  });

  it('an old increment is 3, a truncated file 5, text 3, a link is followed', async () => {
    const old = await ground([...full, { options: 'compat=0.10', size: 2048 * KiB, ops: [write(0, 64 * KiB, 3)] }]);
    expect((await refuses(old, 3, ...words(old.files))).failure?.details.by).toContain('Q2');
    const cut = await ground();
    const [f0, f1] = cut.files as [string, string];
    writeFileSync(f1, readFileSync(f1).subarray(0, 128 * KiB));
    await refuses(cut, 5, ...words(cut.files));
    writeFileSync(f1, 'text');
    await refuses(cut, 3, ...words(cut.files));
    const named = join(cut.dir, 'link.qcow2');
    symlinkSync(f0, named);
    expect((await cut.bring(`data=${named}`)).failure).toBeNull();
  });

  it('bitmaps, leaked clusters and bytes behind the end of the disk are left behind', async () => {
    const size = 1024 * KiB + 512;
    const site = await ground([{ size, ops: [write(0, 64 * KiB, 1), write(1024 * KiB, 512, 2)] }]);
    const [file] = site.files as [string];
    execFileSync('qemu-img', ['bitmap', '--add', '-g', '65536', file, 'b0']);
    const bytes = readFileSync(file);
    const at = bytes.indexOf(Buffer.alloc(512, 2));
    bytes.fill(9, at + 512, at + 1024);
    writeFileSync(file, bytes);
    expect((await site.bring(...words(site.files))).failure).toBeNull();
    await holds(site);
    const [id] = pointIds(site.root);
    expect(readFileSync(join(site.root, `vms/default/db/disks/data/data/${id}.0.qcow2`)).length).toBeLessThan(
      bytes.length,
    );
  });

  it('is judged as validate --files judges it', async () => {
    const site = await ground();
    const [, f1] = site.files as [string, string];
    const good = readFileSync(f1);
    const places = [
      0, 4, 5, 7, 20, 23, 24, 31, 32, 36, 39, 40, 46, 48, 56, 60, 72, 79, 80, 88, 96, 99, 100, 103, 104, 110,
    ];
    const tables = Array.from({ length: 24 }, (_, n) => 65_536 * (n % 6) + (n * 8 + (n % 8)));
    const codes = new Set<number>();
    for (const place of [...places, ...tables]) {
      const bad = Buffer.from(good);
      bad[place] = (bad[place] as number) ^ 0x41;
      writeFileSync(f1, bad);
      const told = await tool(['validate', '--files', ...site.files]);
      const brought = await site.bring(...words(site.files), '-n');
      expect([place, brought.code]).toEqual([place, told.code]);
      codes.add(told.code);
    }
    expect([...codes].sort()).toEqual([0, 3, 5]);
  });
});

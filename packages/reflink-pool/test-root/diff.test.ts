import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { succeed } from '../../../e2e/ground/run.ts';
import { type DiffRecord, diskDiff } from '../src/records/diff.ts';
import { Ground } from './law/ground.ts';

const block = 4096;
const blocks = 48;
const program = promisify(execFile);

/** An image that changes, and a file of bytes to share with it. */
interface Place {
  path: string;
  donor: string;
}
/** Where a change is, in blocks, and a number to choose by. */
interface Span {
  at: number;
  length: number;
  seed: number;
}

const words = ({ at, length }: Span) => ['-o', String(at * block), '-l', String(length * block)];

/** Writes at an odd place: whole sectors and some bytes, not blocks. */
async function write({ path }: Place, { at, length, seed }: Span, bytes: (size: number) => Buffer): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(bytes(length * 512 + 3), 0, undefined, at * block + (seed % 8) * 512);
}

/** The ways in which an image changes, or only where it lies. */
const ways = {
  write: (place: Place, span: Span) => write(place, span, randomBytes),
  compress: (place: Place, span: Span) => write(place, { ...span, length: span.length * 8 }, compressible),
  text: (place: Place, span: Span) => write(place, span, (size) => Buffer.alloc(size, `${span.seed}`)),
  sector: (place: Place, span: Span) => write(place, { ...span, length: 0 }, () => randomBytes(100)),
  zeros: (place: Place, span: Span) => write(place, span, (size) => Buffer.alloc(size)),
  rewrite: async ({ path }: Place, { at, length }: Span) => {
    await using file = await open(path, 'r+');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length * block), 0, length * block, at * block);
    await file.write(buffer, 0, bytesRead, at * block);
  },
  discard: ({ path }: Place, span: Span) => program('fallocate', ['-p', ...words(span), path]),
  preallocate: ({ path }: Place, span: Span) => program('fallocate', ['-n', ...words(span), path]),
  grow: ({ path }: Place, span: Span) => program('fallocate', [...words(span), path]),
  truncate: ({ path }: Place, { at, seed }: Span) => truncate(path, at * block + (seed % 8) * 512 + 512),
  /** Extents shared at another place than they had: equal addresses, other bytes. */
  share: ({ path, donor }: Place, { at, length, seed }: Span) =>
    program('xfs_io', ['-c', `reflink ${donor} ${(seed % 16) * block} ${at * block} ${length * block}`, path]),
  defragment: ({ path }: Place) => program('btrfs', ['filesystem', 'defragment', '-f', path]),
};
type Way = keyof typeof ways;
type Change = Span & { way: Way };

/** What a story is about: anything; files so small that btrfs keeps them in its tree; one extent shared here and there. */
const themes = (some: readonly Way[]) => {
  const of = (way: readonly Way[], at: fc.Arbitrary<number>, seed: fc.Arbitrary<number>): fc.Arbitrary<Change> =>
    fc.record({ way: fc.constantFrom(...way), at, length: fc.integer({ min: 1, max: 6 }), seed });
  const any = { sizes: [blocks * block, blocks * block + 512], change: of(some, fc.nat(blocks - 1), fc.nat(255)) };
  const inside: Way[] = ['sector', 'rewrite'];
  const small = { sizes: [512, 1536], change: of(inside, fc.constant(0), fc.nat(2)) };
  const far = fc.constantFrom(0, 12, 24, 36);
  const shifted = { sizes: [blocks * block], change: of(['share', 'share', 'share', 'write'], far, fc.nat(255)) };
  return some.includes('share') ? [any, any, small, shifted] : [any, small];
};

/** Three states of an image, each made from the one before, and how they are compared. */
const story = (some: readonly Way[]) =>
  fc.constantFrom(...themes(some)).chain(({ sizes, change }) =>
    fc.record({
      size: fc.constantFrom(...sizes),
      changes: fc.tuple(...[1, 2, 3].map(() => fc.array(change, { maxLength: 6 }))),
      align: fc.constantFrom('4Ki', '4Ki', '64Ki'),
      flags: fc.constantFrom('', '', ' --exact', ' --method content'),
    }),
  );
type Story = ReturnType<typeof story> extends fc.Arbitrary<infer S> ? S : never;

const filesystems = {
  xfs: { type: 'xfs', without: ['defragment'] },
  btrfs: { type: 'btrfs', without: [] },
  'btrfs with zstd': { type: 'btrfs', options: 'compress-force=zstd', without: [] },
  ext4: { type: 'ext4', without: ['defragment', 'share'] },
} as const;

/** Bytes that a filesystem can compress, no block of them like another. */
const compressible = (size: number) =>
  Buffer.concat(Array.from({ length: Math.ceil(size / 64) }, () => Buffer.alloc(64, randomBytes(4)))).subarray(0, size);

/** Revisions 1 to 3 of the volume `v`, made as its guests would, nothing flushed; their bytes. */
async function states(ground: Ground, folder: string, { size, changes }: Story, reflink: string): Promise<Buffer[]> {
  const place = { path: join(folder, 'state'), donor: join(folder, 'donor') };
  await writeFile(place.path, compressible(size));
  const held: Buffer[] = [];
  for (const [index, some] of changes.entries()) {
    for (const { way, ...span } of some) await ways[way](place, span);
    const time = (await stat(place.path)).mtime.toISOString().slice(0, 19);
    const name = ground.file(`v.img.${index + 1}@${time}Z`);
    await rename(place.path, name);
    held.push(await readFile(name));
    if (index < 2) await program('cp', [`--reflink=${reflink}`, '--preserve=timestamps', name, place.path]);
  }
  return held;
}

async function diff(ground: Ground, line: string): Promise<DiffRecord> {
  const said = await ground.say(`diff ${line}`);
  expect([line, said?.failure?.message, said?.records.length]).toEqual([line, undefined, 1]);
  return diskDiff.parse(said?.records[0]);
}

/** What the first state becomes when the ranges are taken from the second one. */
function patched(from: Buffer, to: Buffer, { ranges }: DiffRecord): Buffer {
  const made = Buffer.alloc(to.length);
  from.copy(made, 0, 0, Math.min(from.length, to.length));
  for (const [at, length] of ranges) to.copy(made, at, at, at + length);
  return made;
}

/** Blocks of the record's alignment, in order, apart from each other, none beyond the end; zeros lie inside and are. */
function wellFormed({ ranges, zeros, align, to: { size } }: DiffRecord, to: Buffer): void {
  for (const some of [ranges, zeros]) {
    let free = -1;
    for (const [at, length] of some) {
      expect([at > free, at % align, (at + length) % align === 0 || at + length === size]).toEqual([true, 0, true]);
      free = at + length;
    }
  }
  const inside = ([at, length]: [number, number]) => ranges.some(([a, l]) => a <= at && at + length <= a + l);
  const empty = ([at, length]: [number, number]) => to.subarray(at, at + length).every((byte) => byte === 0);
  expect([zeros.filter((zero) => !inside(zero)), zeros.filter((zero) => !empty(zero))]).toEqual([[], []]);
}

for (const [name, { type, without, ...how }] of Object.entries(filesystems))
  needs('root', type)(`the diff of two revisions on ${name}`, () => {
    it('covers every byte that changed, and a chain of diffs leads from the first state to the last', async () => {
      await using folder = await mounted(type);
      if ('options' in how) await succeed(['mount', '-o', `remount,${how.options}`, folder.path]);
      const ground = await Ground.at(folder.path, type === 'ext4' ? ['--allow-copy'] : []);
      await writeFile(join(folder.path, 'donor'), compressible(24 * block));
      const some = (Object.keys(ways) as Way[]).filter((way) => !(without as readonly Way[]).includes(way));
      const methods = new Set<string>();
      const law = fc.asyncProperty(story(some), async (one) => {
        await ground.clear();
        const held = await states(ground, folder.path, one, type === 'ext4' ? 'never' : 'always');
        let chained = held[0] ?? Buffer.alloc(0);
        for (const [a, b] of [
          [1, 2],
          [2, 3],
          [1, 3],
        ] as const) {
          const [from, to] = [held[a - 1], held[b - 1]] as [Buffer, Buffer];
          const record = await diff(ground, `v@${a} v@${b} --align ${one.align}${one.flags}`);
          expect([record.from.size, record.to.size]).toEqual([from.length, to.length]);
          wellFormed(record, to);
          expect(patched(from, to, record).equals(to)).toBe(true);
          if (b === a + 1) chained = patched(chained, to, record);
          methods.add(record.method);
          if (type === 'ext4' || one.flags.includes('content')) expect(record.method).toBe('content');
        }
        expect(chained.equals(held[2] as Buffer)).toBe(true);
      });
      await fc.assert(law, effort(70));
      expect([...methods]).toEqual(type === 'ext4' ? ['content'] : expect.arrayContaining(['content', 'mixed']));
    }, 900_000);
  });

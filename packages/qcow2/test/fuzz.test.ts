import { describe, expect, it } from 'vitest';
import { putU64, viewOf } from '../src/bits.ts';
import { census } from '../src/census.ts';
import { compose } from '../src/clusters.ts';
import type { Policy } from '../src/finding.ts';
import { canonical } from '../src/geometry.ts';
import { guest } from '../src/guest.ts';
import { parseHeader } from '../src/header.ts';
import { judge } from '../src/judge.ts';
import { openLayer } from '../src/open.ts';
import { type ByteSource, ShortRead } from '../src/source.ts';
import { build, type Cell, type Plan } from './build.ts';

/** How many headers are mutated, and a fifth as many images with mutated tables; PLATTER_ROUNDS asks for more. */
const ROUNDS = Number(process.env.PLATTER_ROUNDS ?? 10_000);
const SEED = Number(process.env.PLATTER_SEED ?? 1);
const DECLARED = ['NotQcow2', 'Refused'];
/** Spans looked at, and bytes read, before an image counts as read: its size may be petabytes. */
const ENOUGH = 2000;
const MOST_READ = 64 * 2 ** 20;

/** A small deterministic generator (xorshift32). */
function dice(seed: number): (limit: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
type Dice = ReturnType<typeof dice>;

const kinds: readonly Cell['kind'][] = ['absent', 'zero', 'data', 'compressed'];
const cells = (count: number, of: number): Cell[] =>
  Array.from({ length: count }, (_, index) => ({ kind: kinds[index % of] as Cell['kind'], byte: 1 + (index % 200) }));

const plans: readonly Plan[] = [
  { clusterBits: 9, size: 512 * 150, cells: cells(120, 4) },
  { clusterBits: 9, size: 512 * 150, cells: cells(120, 4), zstd: true, order: 0 },
  { clusterBits: 12, size: 2 ** 19 - 512, cells: cells(40, 4) },
  { clusterBits: 12, size: 2 ** 19, cells: cells(40, 3).filter(({ kind }) => kind !== 'zero'), version: 2 },
  { clusterBits: 14, size: 2 ** 22, cells: cells(100, 3), extended: true },
];
const images = plans.map(build);

/** Values that break things: borders of fields, of the file, of what a number can hold. */
const nasty = [0, 1, 2, 511, 512, 4095, 4096, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 52, 2 ** 53 - 512];

function mutate(roll: Dice, bytes: Uint8Array, { from, length }: { from: number; length: number }): void {
  const view = viewOf(bytes);
  const at = from + roll(length);
  const kind = roll(5);
  if (kind === 0) bytes[at] = roll(256);
  else if (kind === 1) bytes[at] = (bytes[at] as number) ^ (1 << roll(8));
  else if (kind === 2 && at + 4 <= bytes.length) view.setUint32(at & ~3, nasty[roll(10)] as number);
  else if (at + 8 <= bytes.length)
    putU64(view, at & ~7, (nasty[roll(nasty.length)] as number) + (kind === 3 ? 0 : roll(4096)));
}

/** A source that reports any read outside of it, and stops after too many bytes. */
function guarded(bytes: Uint8Array): ByteSource & { outside: string[]; read: ByteSource['read'] } {
  let total = 0;
  const outside: string[] = [];
  const read = async (at: number, length: number): Promise<Uint8Array> => {
    if (!(at >= 0 && length >= 0 && at + length <= bytes.length)) {
      outside.push(`${at}+${length} of ${bytes.length}`);
      throw new ShortRead(at, length);
    }
    total += length;
    if (total > MOST_READ) outside.push(`${total} bytes read`);
    return bytes.subarray(at, at + length);
  };
  return { size: bytes.length, outside, read };
}

async function some<T>(of: AsyncIterable<T>): Promise<void> {
  let left = ENOUGH;
  for await (const _ of of) if (--left === 0) return;
}

const policies: readonly Policy[] = ['attach', 'convert', 'full', 'increment', 'foreign-increment'];

/** Everything that can be done with an image; the names of the errors it ends in. */
async function useAll(source: ByteSource): Promise<string[]> {
  const header = await parseHeader(source);
  for (const policy of policies) judge(header, policy);
  const uses = [
    async () => void (await census(source, header)),
    async () => void (await canonical(await openLayer(source, 'attach'))),
    async () => {
      const reader = guest(source, header, 'attach');
      await some(reader.extents());
      await reader.read(0, Math.min(header.size, 4096));
      await reader.read(Math.max(0, header.size - 4096), Math.min(header.size, 4096));
    },
    async () => {
      const layer = await openLayer(source, 'foreign-increment');
      await some(compose([layer, layer, layer], { at: 0, length: header.size }, 65536));
    },
  ];
  const errors: string[] = [];
  for (const use of uses) await use().catch((error: Error) => errors.push(error.name));
  return errors;
}

async function fuzz(
  seed: number,
  spoil: (roll: Dice, image: Uint8Array, index: number) => Uint8Array,
): Promise<string> {
  const roll = dice(seed);
  const index = roll(images.length);
  const source = guarded(spoil(roll, (images[index] as (typeof images)[0]).bytes.slice(), index));
  const errors = await useAll(source).catch((error: Error) => [error.name]);
  const strange = errors.filter((name) => !DECLARED.includes(name));
  return [...source.outside, ...strange].join(', ');
}

describe('a mutated image', () => {
  it(`of ${ROUNDS} with another header is judged or refused`, { timeout: 30 * ROUNDS }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED * 1_000_003 + round;
      const wrong = await fuzz(seed, (roll, image) => {
        for (let count = 1 + roll(3); count > 0; count--) mutate(roll, image, { from: 4, length: 140 });
        return roll(20) === 0 ? image.subarray(0, roll(image.length)) : image;
      });
      expect(wrong, `seed ${seed}`).toBe('');
    }
  });

  it(`of ${ROUNDS / 5} with other tables is read or refused`, { timeout: 30 * ROUNDS }, async () => {
    for (let round = 0; round < ROUNDS / 5; round++) {
      const seed = SEED * 2_000_003 + round;
      const wrong = await fuzz(seed, (roll, image, index) => {
        const { l1At, refcountAt, entryAt } = images[index] as (typeof images)[0];
        const first = [l1At, refcountAt, entryAt(roll(40)), entryAt(2)][roll(4)] as number;
        const from = Number.isNaN(first) ? l1At : first;
        for (let count = 1 + roll(8); count > 0; count--) mutate(roll, image, { from, length: 64 });
        return image;
      });
      expect(wrong, `seed ${seed}`).toBe('');
    }
  });
});

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { census } from '../src/census.ts';
import { compose, unpack } from '../src/clusters.ts';
import { contentDigest } from '../src/digest.ts';
import { extents } from '../src/extents.ts';
import { canonical, refcounts } from '../src/geometry.ts';
import { guest } from '../src/guest.ts';
import { type Layer, openLayer } from '../src/open.ts';
import { type ByteSource, bytesSource } from '../src/source.ts';
import { Writer } from '../src/writer.ts';

/** Images per run; PLATTER_ROUNDS asks for more. Half as many chains. */
const ROUNDS = Number(process.env.PLATTER_ROUNDS ?? 60);
const SEED = Number(process.env.PLATTER_SEED ?? 1);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'platter-qcow2-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A small deterministic generator (mulberry32): the same seed gives the same images. */
function dice(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: <T>(of: readonly T[]): T => of[below(of.length)] as T };
}
type Dice = ReturnType<typeof dice>;

const run = (program: string, words: readonly string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 });

const path = (name: string): string => join(folder, name);

function fileSource(file: string): ByteSource {
  const fd = openSync(file, 'r');
  const { size } = fstatSync(fd);
  closeSync(fd);
  const bytes = readFileSync(file);
  expect(bytes.length).toBe(size);
  return bytesSource(bytes);
}

interface Style {
  clusterBits: number;
  extended: boolean;
  zstd: boolean;
  version2: boolean;
  order: number;
  preallocated: boolean;
}

function style(roll: Dice): Style {
  const clusterBits = roll.pick([9, 10, 12, 14, 16, 16, 16, 18, 21]);
  const version2 = roll.below(8) === 0;
  const extended = !version2 && clusterBits >= 14 && roll.below(3) === 0;
  const preallocated = roll.below(10) === 0;
  const order = version2 ? 4 : roll.pick([0, 1, 2, 3, 4, 4, 5, 6]);
  return {
    clusterBits,
    extended,
    zstd: !version2 && roll.below(3) === 0,
    version2,
    order: extended ? 4 : order,
    preallocated,
  };
}

function sizeFor(roll: Dice, { clusterBits }: Style): number {
  const most = clusterBits < 12 ? 2 ** 20 : clusterBits > 16 ? 48 * 2 ** 20 : 12 * 2 ** 20;
  return 512 * (1 + roll.below(most / 512));
}

function create(file: string, size: number, how: Style): void {
  const options = [`cluster_size=${2 ** how.clusterBits}`, `compat=${how.version2 ? '0.10' : '1.1'}`];
  if (how.extended) options.push('extended_l2=on');
  if (how.zstd) options.push('compression_type=zstd');
  if (!how.version2) options.push(`refcount_bits=${2 ** how.order}`);
  if (how.preallocated) options.push('preallocation=metadata');
  run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options.join(','), '--', file, String(size)]);
}

/** One word for qemu-io; compressed writes are single whole clusters that nobody wrote before. */
function scribble(roll: Dice, { size, how, used }: { size: number; how: Style; used: Set<number> }): string[] {
  const cluster = 2 ** how.clusterBits;
  const at = 512 * roll.below(size / 512);
  const length = Math.min(size - at, 512 * (1 + roll.below(Math.min(600, (4 * cluster) / 512))));
  const clusters = Math.floor(size / cluster);
  const own = roll.below(Math.max(1, clusters));
  const kind = roll.below(8);
  if (kind < 2 && clusters > 0 && !used.has(own) && !how.preallocated && how.order > 1) {
    used.add(own);
    return ['-c', `write -q -c -P ${1 + roll.below(255)} ${own * cluster} ${cluster}`];
  }
  for (let index = Math.floor(at / cluster); index * cluster < at + length; index++) used.add(index);
  if (kind < 5) return ['-c', `write -q -P ${1 + roll.below(255)} ${at} ${length}`];
  if (kind === 5) return ['-c', `write -q -z ${at} ${length}`];
  if (kind === 6) return ['-c', `write -q -z -u ${at} ${length}`];
  return ['-c', `discard -q ${at} ${length}`];
}

function scribbles(roll: Dice, file: string, { size, how }: { size: number; how: Style }): void {
  const used = new Set<number>();
  const words = Array.from({ length: 1 + roll.below(14) }, () => scribble(roll, { size, how, used })).flat();
  run(
    'qemu-io',
    ['-f', 'qcow2', '-d', 'unmap', ...words, '--', file].filter((word) => word !== '--'),
  );
}

interface Mapped {
  start: number;
  length: number;
  data: boolean;
  zero: boolean;
  offset?: number;
  depth: number;
}

/** Our extents as `qemu-img map` tells them: data with its offset, compressed without, the rest zero; merged alike. */
function merged(runs: readonly { start: number; length: number; data: boolean; offset: number }[]) {
  const out: { start: number; length: number; data: boolean; offset: number }[] = [];
  for (const next of runs) {
    const last = out.at(-1);
    const follows =
      last &&
      last.data === next.data &&
      (last.offset < 0 ? next.offset < 0 : last.offset + last.length === next.offset);
    if (last && follows) last.length += next.length;
    else out.push({ ...next });
  }
  return out;
}

const mapOf = (file: string) => {
  const rows = JSON.parse(run('qemu-img', ['map', '--output=json', '-f', 'qcow2', file])) as Mapped[];
  return merged(
    rows.map(({ start, length, data, zero, offset }) => ({
      start,
      length,
      data: data && !zero,
      offset: data && !zero ? (offset ?? -1) : -1,
    })),
  );
};

async function ourMap(source: ByteSource, layer: Layer) {
  const runs: { start: number; length: number; data: boolean; offset: number }[] = [];
  for await (const { at, length, kind, host } of extents(source, layer.header)) {
    runs.push({
      start: at,
      length,
      data: kind === 'data' || kind === 'compressed',
      offset: kind === 'data' ? host : -1,
    });
  }
  return merged(runs);
}

function rawOf(file: string): Uint8Array {
  const raw = `${file}.raw`;
  run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', file, raw]);
  const bytes = readFileSync(raw);
  rmSync(raw);
  return bytes;
}

/** The first difference, instead of a dump of megabytes. */
function difference(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return Math.min(one.length, other.length);
  return Buffer.compare(one, other) === 0 ? -1 : one.findIndex((byte, index) => byte !== other[index]);
}

/** A chain's content by `compose`. */
async function composed(layers: readonly Layer[]): Promise<Uint8Array> {
  const size = layers.at(-1)?.header.size ?? 0;
  const bytes = new Uint8Array(size);
  let next = 0;
  for await (const span of compose(layers, { at: 0, length: size }, 2 ** 21)) {
    expect(span.at).toBe(next);
    next += span.length;
    const layer = layers[span.layer];
    if (layer === undefined || span.kind === 'absent' || span.kind === 'zero') continue;
    const part = new Uint8Array(span.length);
    if (span.kind === 'data') part.set(await layer.source.read(span.host, span.length));
    else {
      const cluster = new Uint8Array(2 ** layer.header.clusterBits);
      unpack(
        layer.header,
        await layer.source.read(span.host, Math.min(span.hostLength, layer.source.size - span.host)),
        cluster,
      );
      part.set(cluster.subarray(span.at % cluster.length, (span.at % cluster.length) + span.length));
    }
    bytes.set(part.subarray(0, span.cut ?? part.length), span.at);
  }
  expect(next).toBe(size);
  return bytes;
}

/** Writes a canonical file from a content and says which clusters are explicit zeroes. */
function write(file: string, content: Uint8Array, { type, roll }: { type: 'full' | 'incremental'; roll: Dice }): void {
  const fd = openSync(file, 'w');
  const writer = new Writer({ virtualSize: content.length, type });
  for (let cluster = 0; cluster * 65536 < content.length; cluster++) {
    const bytes = content.subarray(cluster * 65536, (cluster + 1) * 65536);
    if (bytes.some((byte) => byte !== 0)) {
      const whole = new Uint8Array(65536);
      whole.set(bytes);
      writeSync(fd, whole, 0, whole.length, writer.place(cluster));
    } else if (roll.below(2) === 0) writer.zero(cluster, 1);
    for (const { at, bytes: table } of writer.ready()) writeSync(fd, table, 0, table.length, at);
  }
  for (const { at, bytes } of writer.finish()) writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

function checkRc(file: string): number {
  try {
    run('qemu-img', ['check', '-q', '-f', 'qcow2', file]);
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}

describe('one image', () => {
  it(`reads ${ROUNDS} random images as qemu-img does`, { timeout: ROUNDS * 3000 }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED * 100_003 + round;
      const roll = dice(seed);
      const how = style(roll);
      const size = sizeFor(roll, how);
      const file = path(`image-${round}.qcow2`);
      create(file, size, how);
      scribbles(roll, file, { size, how });
      const source = fileSource(file);
      const layer = await openLayer(source, 'full');
      const what = `seed ${seed} ${JSON.stringify({ ...how, size })}`;
      // In a preallocated image qemu-img looks through the entries at the holes of the file.
      if (!how.preallocated) expect(await ourMap(source, layer), what).toEqual(mapOf(file));
      const reader = guest(source, layer.header, 'full');
      const content = await reader.read(0, size);
      const raw = rawOf(file);
      expect(difference(content, raw), what).toBe(-1);
      const counted = await census(source, layer.header);
      expect(counted.findings, what).toEqual([]);
      expect(counted.dataBytes + counted.zeroBytes + counted.compressedBytes + counted.absentBytes, what).toBe(size);
      const stored = await refcounts(layer);
      expect([stored.leaks > 0 ? 3 : 0, stored.findings.filter(({ verdict }) => verdict === 'corrupt')], what).toEqual([
        checkRc(file),
        [],
      ]);
      const copy = path('copy.qcow2');
      write(copy, raw, { type: 'full', roll });
      expect(checkRc(copy), what).toBe(0);
      expect(difference(rawOf(copy), raw), what).toBe(-1);
      const own = await openLayer(fileSource(copy), 'full');
      expect(await canonical(own), what).toEqual([]);
      expect(await contentDigest(guest(own.source, own.header, 'full')), what).toBe(await contentDigest(reader));
      rmSync(file);
    }
  });
});

describe('a chain', () => {
  const chains = Math.ceil(ROUNDS / 2);
  it(`composes ${chains} random chains as qemu-img does`, { timeout: ROUNDS * 6000 }, async () => {
    for (let round = 0; round < chains; round++) {
      const seed = SEED * 200_003 + round;
      const roll = dice(seed);
      const mixed = roll.below(3) === 0;
      const base = style(roll);
      const names: string[] = [];
      const told: object[] = [];
      for (let link = 0; link < 2 + roll.below(6); link++) {
        const how = { ...(mixed ? style(roll) : base), preallocated: false };
        const size = roll.below(3) === 0 || link === 0 ? sizeFor(roll, how) : fileSize(names.at(-1));
        const file = path(`chain-${link}.qcow2`);
        create(file, size, how);
        scribbles(roll, file, { size, how });
        names.push(file);
        told.push({ ...how, size });
      }
      const what = `seed ${seed} ${JSON.stringify(told)}`;
      const layers = await Promise.all(names.map((file) => openLayer(fileSource(file), 'full')));
      const ours = await composed(layers);
      const copies = names.map((file) => `${file}.copy`);
      for (const [index, file] of names.entries()) copyFileSync(file, copies[index] ?? '');
      for (let index = 1; index < names.length; index++) {
        run('qemu-img', [
          'rebase',
          '-u',
          '-f',
          'qcow2',
          '-F',
          'qcow2',
          '-b',
          copies[index - 1] ?? '',
          copies[index] ?? '',
        ]);
      }
      expect(difference(ours, rawOf(copies.at(-1) ?? '')), what).toBe(-1);
    }
  });
});

const sizes = new Map<string, number>();
function fileSize(file: string | undefined): number {
  if (file === undefined) return 0;
  const info = JSON.parse(run('qemu-img', ['info', '--output=json', '-f', 'qcow2', file])) as {
    'virtual-size': number;
  };
  sizes.set(file, info['virtual-size']);
  return info['virtual-size'];
}
void readSync;

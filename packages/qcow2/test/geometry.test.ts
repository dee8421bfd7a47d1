import { describe, expect, it } from 'vitest';
import { putU64, viewOf } from '../src/bits.ts';
import { census } from '../src/census.ts';
import { tableAt, unitsPerTable } from '../src/clusters.ts';
import { contentDigest } from '../src/digest.ts';
import { canonical, refcounts } from '../src/geometry.ts';
import { guest } from '../src/guest.ts';
import { parseHeader } from '../src/header.ts';
import { openLayer } from '../src/open.ts';
import { bytesSource } from '../src/source.ts';
import { newTable } from '../src/table.ts';
import { type Built, build, type Cell, type Plan } from './build.ts';

const data: Cell = { kind: 'data', byte: 7 };
const packed: Cell = { kind: 'compressed', byte: 9 };
const zero: Cell = { kind: 'zero', byte: 0 };
const small: Plan = { clusterBits: 12, size: 2 ** 20, cells: [data, data, zero, packed, packed] };

const late: Plan = { ...small, cells: [packed, data] };

type Damage = (view: DataView, built: Built) => void;

function damaged(plan: Plan, damage: Damage): Uint8Array {
  const built = build(plan);
  damage(viewOf(built.bytes), built);
  return built.bytes;
}

async function rulesOf(bytes: Uint8Array): Promise<string[]> {
  const source = bytesSource(bytes);
  const { findings } = await census(source, await parseHeader(source));
  expect(findings.every(({ verdict }) => verdict === 'corrupt')).toBe(true);
  return findings.map(({ rule }) => rule);
}

const or =
  (at: number, bits: number): Damage =>
  (view) =>
    view.setUint32(at, (view.getUint32(at) | bits) >>> 0);
const entry =
  (cluster: number, word: number, bits: number): Damage =>
  (view, built) =>
    or(built.entryAt(cluster) + word * 4, bits)(view, built);
const extended: Plan = {
  clusterBits: 14,
  size: 2 ** 20,
  extended: true,
  cells: [data, zero, { kind: 'absent', byte: 0 }],
};
const wordAt =
  (cluster: number, value: number): Damage =>
  (view, built) =>
    putU64(view, built.entryAt(cluster), value);

const cases: readonly (readonly [what: string, plan: Plan, damage: Damage, rules: string[]])[] = [
  ['nothing', small, () => {}, []],
  ['G1 L1 bit 8', small, (view, b) => or(b.l1At + 4, 0x100)(view, b), ['G1']],
  ['G1 L1 bit 56', small, (view, b) => or(b.l1At, 0x01000000)(view, b), ['G1']],
  ['G1 L1 bit 62', small, (view, b) => or(b.l1At, 0x40000000)(view, b), ['G1']],
  ['G1 L2 bit 1', small, entry(0, 1, 2), ['G1']],
  ['G1 L2 bit 8', small, entry(0, 1, 0x100), ['G1']],
  ['G1 L2 bit 56', small, entry(1, 0, 0x01000000), ['G1']],
  ['G1 L2 bit 61', small, entry(1, 0, 0x20000000), ['G1']],
  ['G1 zero flag in version 2', { ...small, version: 2, cells: [data, data] }, entry(0, 1, 1), ['G1']],
  ['G1 zero flag with extended entries', extended, entry(0, 1, 1), ['G1']],
  ['G2 unaligned L2 table', small, (view, b) => or(b.l1At + 4, 0x200)(view, b), ['G2']],
  ['G2 L2 table beyond EOF', small, (view, b) => putU64(view, b.l1At, 2 ** 40), ['G2']],
  ['G2 L2 table half inside', small, (view, b) => putU64(view, b.l1At, b.bytes.length - 2048), ['G2']],
  ['G3 unaligned', small, entry(0, 1, 0x200), ['G3']],
  ['G3 beyond EOF', small, wordAt(0, 2 ** 41), ['G3']],
  ['G3 zero with an offset beyond EOF', small, wordAt(2, 2 ** 41 + 1), ['G3']],
  ['G3 allocated subcluster without a host cluster', extended, (view, b) => putU64(view, b.entryAt(0), 0), ['G3']],
  ['G4 start beyond EOF', small, (view, b) => view.setUint32(b.entryAt(3), 0x40000001), ['G4']],
  [
    'G4 end beyond EOF',
    small,
    (view, b) => putU64(view, b.entryAt(4), 0x7c000000 * 2 ** 32 + b.bytes.length - 512),
    ['G4'],
  ],
  ['G5 data cluster twice', small, (view, b) => putU64(view, b.entryAt(0), hostAt(view, b, 1)), ['G5']],
  ['G5 data on the header', { ...small, cells: [data] }, (view, b) => putU64(view, b.entryAt(0), b.refcountAt), ['G5']],
  [
    'G5 L2 table twice',
    { ...small, size: 4 * 2 ** 20 },
    (view, b) => view.setUint32(b.l1At + 12, view.getUint32(b.l1At + 4)),
    ['G5'],
  ],
  [
    'G5 data in a compressed cluster',
    small,
    (view, b) => putU64(view, b.entryAt(0), packedHost(view, b, 3)),
    ['G5', 'G5'],
  ],
  [
    'G5 data in a compressed cluster before it',
    late,
    (view, b) => putU64(view, b.entryAt(1), packedHost(view, b, 0)),
    ['G5'],
  ],
  ['G7 both', extended, entry(0, 2, 1), ['G7']],
  ['G8 unaligned', small, (view, b) => or(b.refcountAt + 4, 0x200)(view, b), ['G8']],
  ['G8 beyond EOF', small, (view, b) => putU64(view, b.refcountAt, 2 ** 40), ['G8']],
  ['G8 reserved bit', small, (view, b) => or(b.refcountAt + 4, 1)(view, b), ['G8']],
];

const hostAt = (view: DataView, built: Built, cluster: number): number => view.getUint32(built.entryAt(cluster) + 4);
const packedHost = (view: DataView, built: Built, cluster: number): number =>
  Math.floor(hostAt(view, built, cluster) / 4096) * 4096;

describe('census', () => {
  it.each(cases)('%s', async (_, plan, damage, rules) => {
    expect(await rulesOf(damaged(plan, damage))).toEqual(rules);
  });

  it('names the entry and its byte', async () => {
    const built = build(small);
    putU64(viewOf(built.bytes), built.entryAt(1), 2 ** 41);
    const source = bytesSource(built.bytes);
    const { findings } = await census(source, await parseHeader(source));
    expect(findings).toEqual([
      {
        rule: 'G3',
        verdict: 'corrupt',
        field: 'L2 entry',
        at: built.entryAt(1),
        value: '0x0000020000000000',
        message: 'the data cluster is unaligned or not inside the file',
      },
    ]);
  });

  it('keeps the first hundred findings and counts the rest', async () => {
    const cells: Cell[] = Array.from({ length: 256 }, () => data);
    const bytes = damaged({ ...small, cells }, (view, b) => {
      for (let cluster = 0; cluster < 256; cluster++) putU64(view, b.entryAt(cluster), 2 ** 41);
    });
    const source = bytesSource(bytes);
    const { findings } = await census(source, await parseHeader(source));
    expect(findings.length).toBe(101);
    expect(findings.at(-1)?.message).toBe('and 156 more findings');
  });

  it('warns that snapshots keep it from looking for double use', async () => {
    const bytes = damaged(small, (view, b) => {
      view.setUint32(60, 1);
      putU64(view, b.entryAt(0), hostAt(view, b, 1));
    });
    const source = bytesSource(bytes);
    const { findings } = await census(source, await parseHeader(source));
    expect(findings).toEqual([expect.objectContaining({ rule: 'G5', verdict: 'warn' })]);
  });
});

describe('G6', () => {
  it.each([false, true])('a compressed cluster that is short (zstd: %s)', async (zstd) => {
    const built = build({ ...small, zstd });
    const host = hostAt(viewOf(built.bytes), built, 3) % 2 ** 24;
    built.bytes.fill(0, host, host + 512);
    const source = bytesSource(built.bytes);
    const reader = guest(source, await parseHeader(source), 'full');
    await expect(reader.read(3 * 4096, 1)).rejects.toMatchObject({ findings: [{ rule: 'G6' }] });
    expect(await reader.read(0, 8)).toEqual(new Uint8Array([7, 0, 0, 0, 0, 0, 0, 0]));
  });
});

describe('reading through damage', () => {
  const broken = cases.filter(([what]) => /^G[12347]/.test(what));

  it.each(broken)('%s is refused, by its rule', async (_, plan, damage, [rule]) => {
    const layer = await openLayer(bytesSource(damaged(plan, damage)), 'full');
    const table = newTable(unitsPerTable(layer.header));
    await expect(tableAt(layer, 0, table)).rejects.toMatchObject({ findings: [{ rule }] });
    await expect(contentDigest(guest(layer.source, layer.header, 'full'))).rejects.toMatchObject({
      findings: [{ rule }],
    });
  });

  it('refuses to open an image that uses an L2 table twice', async () => {
    const bytes = damaged({ ...small, size: 4 * 2 ** 20 }, (view, b) => {
      view.setUint32(b.l1At + 12, view.getUint32(b.l1At + 4));
    });
    await expect(openLayer(bytesSource(bytes), 'full')).rejects.toMatchObject({ findings: [{ rule: 'G5' }] });
  });
});

describe('refcounts', () => {
  const orders = [0, 1, 2, 3, 4, 5, 6];

  it.each(orders)('are exact at order %i', async (order) => {
    const cells = order === 0 ? [data, data, zero] : small.cells;
    const layer = await openLayer(bytesSource(build({ ...small, cells, order }).bytes), 'full');
    expect(await refcounts(layer)).toEqual({ leaks: 0, findings: [] });
  });

  it('one too low is corrupt and names the cluster', async () => {
    const bytes = damaged(small, (view, b) => view.setUint16(view.getUint32(b.refcountAt + 4) + 4, 0));
    const { leaks, findings } = await refcounts(await openLayer(bytesSource(bytes), 'full'));
    expect(leaks).toBe(0);
    expect(findings).toEqual([expect.objectContaining({ rule: 'refcount', verdict: 'corrupt', at: 8192, value: '0' })]);
  });

  it('one too high is a leak', async () => {
    const bytes = damaged(small, (view, b) => view.setUint16(view.getUint32(b.refcountAt + 4) + 4, 2));
    const { leaks, findings } = await refcounts(await openLayer(bytesSource(bytes), 'full'));
    expect([leaks, findings.map(({ verdict }) => verdict)]).toEqual([1, ['warn']]);
  });

  it('a missing block counts nothing', async () => {
    const bytes = damaged(small, (view, b) => putU64(view, b.refcountAt, 0));
    const { findings } = await refcounts(await openLayer(bytesSource(bytes), 'full'));
    expect(findings.length).toBeGreaterThan(4);
  });
});

describe('canonical', () => {
  const plan: Plan = { clusterBits: 16, size: 2 ** 20 + 512, cells: [data, zero] };
  const last: Plan = { ...plan, cells: [...Array.from({ length: 16 }, () => zero), data] };
  const found = async (bytes: Uint8Array): Promise<string[]> => {
    const findings = await canonical(await openLayer(bytesSource(bytes), 'foreign-increment'));
    return findings.map(({ field }) => field);
  };

  it('an ordinary image of 64 KiB clusters is', async () => {
    expect(await found(build(plan).bytes)).toEqual([]);
  });

  it.each([
    ['clusters of 4 KiB', small, 'cluster_bits clusters'],
    ['compressed clusters', { ...plan, cells: [packed] }, 'clusters'],
    ['refcounts of 8 bits', { ...plan, order: 3 }, 'refcount_order'],
    ['extended L2 entries', { ...plan, extended: true }, 'incompatible_features'],
    ['bytes after the virtual size', last, 'data'],
    ['an entry beyond the virtual size', { ...plan, cells: [...Array.from({ length: 18 }, () => zero)] }, 'clusters'],
  ] as const)('%s are not', async (_, of, fields) => {
    expect((await found(build(of).bytes)).join(' ')).toBe(fields);
  });

  it('a leak is not', async () => {
    expect(await found(damaged(plan, (view, b) => view.setUint16(view.getUint32(b.refcountAt + 4), 2)))).toEqual([
      'refcount',
    ]);
  });
});

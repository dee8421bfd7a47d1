import { dataFile, type Fixture, flip, patch, u32, u64 } from '../repository.ts';
import { backed, bytes, firstEntry, l1At, l2At, point } from './place.ts';
import { type Damage, loose, tables } from './row.ts';

/** What is written where, in which layer, and what loose files and QEMU say of it. */
type Told = Pick<Damage, 'row' | 'what' | 'make' | 'loose' | 'qemu'>;

/** A layer whose header or tables say something else; manifests and `lstat` tell nothing of it. */
const inLayer =
  (n: number) =>
  (told: Told): Damage => ({ ...told, codes: tables, blames: (f) => dataFile(f, n) });

const refused = (qemu: string) => ({ loose: loose(3), qemu });
const spoiled = (qemu: string) => ({ loose: loose(5), qemu });

const entry = (change: (f: Fixture) => number[]) => (f: Fixture) => patch(dataFile(f, 1), firstEntry(f, 1), change(f));
const far = 1n << 40n;

/** An external data file by its extension (qcow2 spec, Header extensions), behind the feature bit. */
function external(f: Fixture): void {
  const name = '/usr/bin/qemu-img';
  const padded = [...Buffer.from(name.padEnd(24, '\0'))];
  bytes(1, 72, u64(4n))(f);
  bytes(1, 112, [...u32(0x44415441), ...u32(name.length), ...padded, ...u64(0n)])(f);
}

/** Backing names, and what QEMU says where they stand in F. */
const names: readonly (readonly [name: string, qemu: string])[] = [
  ['/usr/bin/qemu-img', '0/0/0!'],
  ['base.img', '0/1/1'],
  ['json:{"driver":"raw"}', '0/1/1'],
  ['nbd://127.0.0.1:10809/x', '0/1/1'],
  ['http://127.0.0.1/x', '0/1/1'],
];

/** The recipe writes another name over it. */
const mended = (qemu: string): string => `${qemu.slice(0, 3)}/0`;

const ignored = { codes: [0, 0], flags: ['--ignore-backing'] } as const;

const full: readonly Told[] = [
  ...names.map(([name, qemu]) => ({
    row: 25,
    what: `F has the backing name \`${name}\``,
    make: backed(0, name),
    ...refused(qemu),
  })),
  {
    row: 27,
    what: 'F has a backing offset without a length',
    make: bytes(0, 8, [...u64(512n), ...u32(0)]),
    ...refused('0/0/0'),
  },
  {
    row: 27,
    what: 'F has a backing offset of 8 and a length of 4',
    make: bytes(0, 8, [...u64(8n), ...u32(4)]),
    ...refused('0/0/0'),
  },
  {
    row: 27,
    what: 'F has a backing name beyond its first cluster',
    make: bytes(0, 8, [...u64(65_530n), ...u32(20)]),
    ...refused('1/1/1'),
  },
  { row: 35, what: 'F is of version 2', make: bytes(0, 4, u32(2)), loose: loose(0), qemu: '0/0/0' },
];

const backing: readonly Told[] = names.flatMap(([name, qemu]) => {
  const make = backed(1, name);
  return [
    { row: 26, what: `i1 has the backing name \`${name}\``, make, ...refused(mended(qemu)) },
    {
      row: 26,
      what: `i1 has the backing name \`${name}\`, and --ignore-backing`,
      make,
      loose: ignored,
      qemu: mended(qemu),
    },
  ];
});

const header: readonly Told[] = [
  { row: 19, what: 'the size in the header of i1 is 0', make: bytes(1, 24, u64(0n)), ...spoiled('0/0/0!') },
  { row: 19, what: 'the size in the header of i1 is 513', make: bytes(1, 24, u64(513n)), ...spoiled('0/0/0!') },
  { row: 28, what: 'i1 has an external data file', make: external, ...refused('0/3/1') },
  ...[
    [1, '0/1/1'],
    [2, '139/1/1'],
    [3, '1/1/1'],
  ].map(([method, qemu]) => ({
    row: 29,
    what: `i1 is encrypted, method ${method}`,
    make: bytes(1, 32, u32(Number(method))),
    ...refused(String(qemu)),
  })),
  { row: 30, what: 'i1 has the dirty bit', make: bytes(1, 72, u64(1n)), ...spoiled('0/0/0') },
  { row: 30, what: 'i1 has the corrupt bit', make: bytes(1, 72, u64(2n)), ...spoiled('0/0/1') },
  { row: 31, what: 'i1 has the incompatible bit 5', make: bytes(1, 72, u64(32n)), ...refused('1/1/1') },
  { row: 31, what: 'i1 has the incompatible bit 63', make: bytes(1, 72, u64(1n << 63n)), ...refused('1/1/1') },
  { row: 31, what: 'i1 is of version 1', make: bytes(1, 4, u32(1)), ...refused('1/1/1') },
  { row: 31, what: 'i1 is of version 4', make: bytes(1, 4, u32(4)), ...refused('1/1/1') },
  { row: 31, what: 'i1 has internal snapshots', make: bytes(1, 60, u32(1)), ...refused('0/2/0') },
  { row: 32, what: 'i1 says its L2 entries are extended', make: bytes(1, 72, u64(16n)), ...spoiled('0/3/0!') },
  { row: 34, what: 'i1 has cluster_bits 8', make: bytes(1, 20, u32(8)), ...spoiled('1/1/1') },
  { row: 34, what: 'i1 has cluster_bits 22', make: bytes(1, 20, u32(22)), ...spoiled('1/1/1') },
  { row: 34, what: 'i1 has refcount_order 7', make: bytes(1, 96, u32(7)), ...spoiled('1/1/1') },
  { row: 34, what: 'i1 has a size of 1 PiB', make: bytes(1, 24, u64(1n << 50n)), ...spoiled('1/1/1') },
  { row: 35, what: 'i1 is of version 2', make: bytes(1, 4, u32(2)), ...refused('0/0/1') },
];

const pointers: readonly Told[] = [
  { row: 33, what: 'the L1 table of i1 lies beyond the end', make: bytes(1, 40, u64(far)), ...spoiled('0/2/0!') },
  { row: 33, what: 'the L1 table of i1 is unaligned', make: bytes(1, 40, u64(65_536n + 512n)), ...spoiled('1/1/1') },
  { row: 33, what: 'the L2 table of i1 lies beyond the end', make: bytes(1, l1At, point(far)), ...spoiled('0/2/0!') },
  { row: 33, what: 'the L2 table of i1 is unaligned', make: bytes(1, l1At, point(66_048)), ...spoiled('0/2/1') },
  { row: 33, what: 'data of i1 lies beyond the end', make: entry(() => point(far)), ...spoiled('0/2/0!') },
  { row: 33, what: 'data of i1 is unaligned', make: entry((f) => point(l2At(f, 1) - 512)), ...spoiled('0/2/1') },
  {
    row: 33,
    what: 'one host cluster of i1 is used twice',
    make: entry((f) => point(l2At(f, 1))),
    ...spoiled('0/2/0!'),
  },
  {
    row: 33,
    what: 'reserved bits of an L1 entry of i1',
    make: (f) => flip(dataFile(f, 1), l1At),
    ...spoiled('0/2/0'),
  },
  {
    row: 33,
    what: 'reserved bits of an L2 entry of i1',
    make: (f) => flip(dataFile(f, 1), firstEntry(f, 1)),
    ...spoiled('0/2/0'),
  },
];

/** Damage to what headers and tables say. */
export const headers: readonly Damage[] = [
  ...full.map(inLayer(0)),
  ...[...backing, ...header, ...pointers].map(inLayer(1)),
  inLayer(3)({
    row: 19,
    what: 'the size in the header of i3 is halved',
    make: bytes(3, 24, u64(32n * 65_536n)),
    loose: loose(0),
    qemu: '0/0/0!',
  }),
];

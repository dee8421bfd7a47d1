import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { dataFile, digestFile, type Fixture, flip, manifestFile } from '../repository.ts';
import { firstEntry, hostOf, l1At, refcountsAt } from './place.ts';
import { always, type Codes, type Damage, type Loose, loose, type Name, tables } from './row.ts';

const run = (program: string, ...words: string[]): void => void execFileSync(program, words, { stdio: 'pipe' });
const unharmed: Loose = loose(0);
const i1 = (f: Fixture): string => dataFile(f, 1);
const full = (f: Fixture): string => dataFile(f, 0);

const swap = (a: string, b: string): void => {
  renameSync(a, `${a}.held`);
  renameSync(b, a);
  renameSync(`${a}.held`, b);
};

const rebase = (f: Fixture, parent: (n: number) => number): void => {
  for (const n of [1, 2, 3])
    run('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', dataFile(f, parent(n)), dataFile(f, n));
};

const chained = (f: Fixture): void => rebase(f, (n) => n - 1);

const replace = (make: (path: string) => void) => (f: Fixture) => {
  renameSync(i1(f), `${i1(f)}.moved`);
  make(i1(f));
};

const cut = (size: number, qemu: string): Damage => ({
  row: 17,
  what: `i1 cut to ${size} bytes`,
  make: (f) => truncateSync(i1(f), size),
  codes: always,
  blames: i1,
  loose: loose(size < 4 ? 3 : 5),
  qemu,
});

const shortened = ([less, qemu]: readonly [number, string]): Damage => ({
  row: 17,
  what: `i1 shorter by ${less} ${less === 1 ? 'byte' : 'bytes'}`,
  make: (f) => truncateSync(i1(f), statSync(i1(f)).size - less),
  codes: always,
  blames: i1,
  loose: loose(5),
  qemu,
});

const kind = (what: string, make: (path: string) => void, code: number): Damage => ({
  row: 23,
  what: `the data file of i1 is ${what}`,
  make: replace(make),
  codes: always,
  blames: i1,
  loose: loose(code),
});

const foreign = (whose: 'disk' | 'vm' | 'repository'): Damage => ({
  row: 5,
  what: `i1 replaced by an equal-sized file of another ${whose === 'vm' ? 'VM' : whose}`,
  make: (f, others) => copyFileSync(i1(others[whose]), i1(f)),
  codes: tables,
  blames: i1,
  loose: unharmed,
  qemu: '0/0/0!',
});

const bit = ([row, what]: Name, make: (f: Fixture) => void, rest: Omit<Damage, 'row' | 'what' | 'make'>) => ({
  row,
  what: `one bit: ${what}`,
  make,
  ...rest,
});

const quiet: Codes = [0, 0, 5, 0];
const hidden: Codes = [0, 0, 5, 5];

/** Damage to whole files, and to their bytes. */
export const files: readonly Damage[] = [
  {
    row: 1,
    what: 'the manifest of i1 is missing',
    make: (f) => rmSync(manifestFile(f, 1)),
    codes: always,
    blames: (f) => `default/db/data@${f.ids[1]}`,
  },
  {
    row: 1,
    what: 'the data file of i1 is missing',
    make: (f) => rmSync(i1(f)),
    codes: always,
    blames: i1,
    loose: loose(3),
  },
  {
    row: 1,
    what: 'the digest list of i1 is missing',
    make: (f) => rmSync(digestFile(f, 1)),
    codes: always,
    blames: (f) => digestFile(f, 1),
  },
  {
    row: 2,
    what: 'i1 is missing altogether',
    make: (f) => {
      for (const path of [manifestFile(f, 1), i1(f), digestFile(f, 1)]) rmSync(path);
    },
    codes: always,
    blames: (f) => `default/db/data@${f.ids[1]}`,
    loose: { codes: [0, 0], layers: [0, 2, 3] },
    qemu: '-/-/0!',
  },
  {
    row: 4,
    what: 'the data files of i1 and i2, of equal size, are exchanged',
    make: (f) => swap(i1(f), dataFile(f, 2)),
    codes: tables,
    blames: i1,
    loose: unharmed,
    qemu: '0/0/0!',
  },
  ...(['disk', 'vm', 'repository'] as const).map(foreign),
  {
    row: 7,
    what: 'all increments rebased in place onto F (`rebase -u`, flat)',
    inPlace: true,
    make: (f) => rebase(f, () => 0),
    codes: tables,
    blames: i1,
    loose: { ...loose(3), blames: (f) => dataFile(f, 2) },
    qemu: '0/0/0!',
  },
  {
    row: 8,
    what: 'all increments rebased in place, each onto its parent (`rebase -u`)',
    inPlace: true,
    make: chained,
    codes: tables,
    blames: i1,
    loose: unharmed,
    qemu: '0/0/0',
  },
  {
    row: 9,
    what: 'all increments rebased in place onto nothing (safe `rebase`)',
    make: (f) => {
      chained(f);
      for (const n of [1, 2, 3]) run('qemu-img', 'rebase', '-f', 'qcow2', '-b', '', dataFile(f, n));
    },
    codes: always,
    blames: i1,
    loose: unharmed,
    qemu: '0/0/0',
  },
  {
    row: 9,
    what: 'i1 committed into F in place',
    make: (f) => {
      chained(f);
      run('qemu-img', 'commit', '-q', '-f', 'qcow2', i1(f));
    },
    codes: always,
    blames: full,
    loose: unharmed,
    qemu: '0/0/0',
  },
  {
    row: 9,
    what: 'i1 passed through `convert`',
    make: (f) => {
      run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'qcow2', i1(f), `${i1(f)}.new`);
      renameSync(`${i1(f)}.new`, i1(f));
    },
    codes: tables,
    blames: i1,
    loose: unharmed,
    qemu: '0/0/0!',
  },
  {
    row: 10,
    what: 'F written later through QEMU, a cluster that i3 shows',
    make: (f) => run('qemu-io', '-f', 'qcow2', '-c', `write -P 0x5a ${16 * 65_536} 64k`, full(f)),
    codes: hidden,
    blames: full,
    loose: unharmed,
    qemu: '0/0/0!',
  },
  bit([11, 'the header of i1'], (f) => flip(i1(f), 200), { codes: tables, blames: i1, loose: unharmed, qemu: '0/0/0' }),
  bit([11, 'the size in the header of i1'], (f) => flip(i1(f), 29), {
    codes: tables,
    blames: i1,
    loose: unharmed,
    qemu: '0/0/0',
  }),
  bit([11, 'the L1 table of i1'], (f) => flip(i1(f), l1At + 5), {
    codes: tables,
    blames: i1,
    loose: loose(5),
    qemu: '0/2/0!',
  }),
  bit([11, 'the L2 table of i1'], (f) => flip(i1(f), firstEntry(f, 1) + 5), {
    codes: tables,
    blames: i1,
    loose: loose(5),
    qemu: '0/2/0!',
  }),
  bit([12, 'a refcount of i1, now too low'], (f) => flip(i1(f), refcountsAt(f, 1) + 1, 0x01), {
    codes: quiet,
    blames: i1,
    loose: { codes: [0, 5] },
    qemu: '0/2/0',
  }),
  bit([12, 'a refcount of i1, now too high'], (f) => flip(i1(f), refcountsAt(f, 1) + 1), {
    codes: quiet,
    blames: i1,
    loose: unharmed,
    qemu: '0/3/0',
  }),
  bit([12, 'data of F that a newer layer hides'], (f) => flip(full(f), hostOf(f, 0, 2) + 77), {
    codes: quiet,
    blames: full,
    loose: unharmed,
    qemu: '0/0/0',
  }),
  bit([13, 'data of F that i3 shows'], (f) => flip(full(f), hostOf(f, 0, 16) + 77), {
    codes: hidden,
    blames: full,
    loose: unharmed,
    qemu: '0/0/0!',
  }),
  bit([14, 'the digest list of i1'], (f) => flip(digestFile(f, 1), 40), {
    codes: tables,
    blames: (f) => digestFile(f, 1),
  }),
  cut(3, '1/1/1'),
  ...[50, 71, 100, 511, 512, 65_536, 131_072].map((size) => cut(size, size > 104 ? '0/2/0!' : '1/1/1')),
  ...(
    [
      [65_536, '0/2/0'],
      [1, '0/0/0'],
    ] as const
  ).map(shortened),
  {
    row: 18,
    what: '512 bytes appended to i1',
    make: (f) => appendFileSync(i1(f), Buffer.alloc(512)),
    codes: always,
    blames: i1,
    loose: unharmed,
    qemu: '0/0/0',
  },
  kind('a symbolic link', (path) => symlinkSync(`${path}.moved`, path), 0),
  kind('a FIFO', (path) => run('mkfifo', path), 3),
  kind('a directory', (path) => mkdirSync(path), 3),
  kind('a device', (path) => run('mknod', path, 'c', '1', '5'), 3),
  {
    row: 23,
    what: 'the data file of i1 has a second name',
    make: (f) => linkSync(i1(f), `${f.root}/further`),
    codes: [0, 0, 0, 0],
    blames: i1,
    loose: unharmed,
  },
];

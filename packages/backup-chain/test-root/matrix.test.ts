import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tool } from '../test/tool.ts';
import {
  Bench,
  dataFile,
  digestFile,
  type Fixture,
  flip,
  forge,
  idsOf,
  manifestFile,
  newest,
  patch,
  u32,
  u64,
} from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

type Code = number | readonly number[];
/** A row of the corruption matrix: exit codes of validate at meta, fast and deep, of restore, and of loose files. */
type Row = readonly [
  row: string,
  damage: (f: Fixture) => void,
  codes: readonly [Code, Code, Code, Code],
  loose?: Code,
  looseFlags?: string[],
];

const all = [5, 5, 5, 5] as const;
const tables = [0, 5, 5, 5] as const;

const swap = (a: string, b: string): void => {
  renameSync(a, `${a}.held`);
  renameSync(b, a);
  renameSync(`${a}.held`, b);
};
const qemu = (program: string, ...words: string[]): void => void execFileSync(program, words, { stdio: 'pipe' });
const layers = (f: Fixture): string[] => [0, 1, 2, 3].map((n) => dataFile(f, n));

const rebased = (f: Fixture, backing: (n: number) => number): void => {
  for (const n of [1, 2, 3])
    qemu('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', dataFile(f, backing(n)), dataFile(f, n));
};
const header = (n: number, at: number, bytes: number[]) => (f: Fixture) => patch(dataFile(f, n), at, bytes);
const backing = (n: number, name: string) => (f: Fixture) => {
  patch(dataFile(f, n), 8, [...u64(512n), ...u32(name.length)]);
  patch(dataFile(f, n), 512, [...Buffer.from(name)]);
};
const i1 = (change: (m: Record<string, unknown>) => void) => (f: Fixture) => forge(manifestFile(f, 1), change);
const l1At = 65_536;
/** The place of the L2 table of a data file, and of its first used entry. */
const l2At = (f: Fixture, n: number): number => {
  const bytes = readFileSync(dataFile(f, n));
  return Number(bytes.readBigUInt64BE(l1At) & 0x00fffffffffffe00n);
};
const firstEntry = (f: Fixture, n: number): number => {
  const [bytes, at] = [readFileSync(dataFile(f, n)), l2At(f, n)];
  for (let entry = at; entry < at + 65_536; entry += 8) if (bytes.readBigUInt64BE(entry) > 1n) return entry;
  throw new Error('no entry');
};
const refcountsAt = (f: Fixture, n: number): number => {
  const bytes = readFileSync(dataFile(f, n));
  return Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))));
};
/** The host offset of a guest cluster in a layer. */
const hostOf = (f: Fixture, n: number, cluster: number): number =>
  Number(readFileSync(dataFile(f, n)).readBigUInt64BE(l2At(f, n) + cluster * 8) & 0x00fffffffffffe00n);
const replace = (path: string, make: (path: string) => void): void => {
  renameSync(path, `${path}.moved`);
  make(path);
};
const asText = (change: (text: string) => string) => (f: Fixture) =>
  writeFileSync(manifestFile(f, 1), change(readFileSync(manifestFile(f, 1), 'utf8')));
const setFile = (f: Fixture): string => join(f.root, 'vms/default/db/sets', `${f.ids[3]}.json`);

const rows: readonly Row[] = [
  ['1 manifest of i1 missing', (f) => rmSync(manifestFile(f, 1)), all],
  ['1 data file of i1 missing', (f) => rmSync(dataFile(f, 1)), all, 3],
  ['1 digest list of i1 missing', (f) => rmSync(digestFile(f, 1)), all],
  [
    '2 i1 missing altogether',
    (f) => {
      for (const path of [manifestFile(f, 1), dataFile(f, 1), digestFile(f, 1)]) rmSync(path);
    },
    all,
  ],
  ['3 manifests of i1, i2 exchanged', (f) => swap(manifestFile(f, 1), manifestFile(f, 2)), all],
  ['4 data files of i1, i2 exchanged', (f) => swap(dataFile(f, 1), dataFile(f, 2)), tables, 0],
  [
    '5 i1 replaced by a file of another disk',
    (f) => {
      const [, other] = idsOf(bench.other, 'swap');
      copyFileSync(join(bench.other, 'vms/default/db/disks/swap/data', `${other}.0.qcow2`), dataFile(f, 1));
    },
    tables,
    0,
  ],
  [
    '6 i1 of another run, with its manifest',
    i1((m) => {
      m.stateId = 'a'.repeat(64);
    }),
    all,
  ],
  ['7 flat rebase -u', (f) => rebased(f, () => 0), tables, 3],
  ['8 chained rebase -u', (f) => rebased(f, (n) => n - 1), tables, 0],
  [
    '9 increment through convert',
    (f) => {
      const made = `${dataFile(f, 1)}.new`;
      qemu('qemu-img', 'convert', '-f', 'qcow2', '-O', 'qcow2', dataFile(f, 1), made);
      renameSync(made, dataFile(f, 1));
    },
    [[0, 5], 5, 5, 5],
    0,
  ],
  [
    '9 increment rebased safely onto nothing',
    (f) => {
      rebased(f, (n) => n - 1);
      for (const n of [1, 2, 3]) qemu('qemu-img', 'rebase', '-f', 'qcow2', '-b', '', dataFile(f, n));
    },
    all,
    0,
  ],
  [
    '10 F written later, a cluster that i3 shows',
    (f) => qemu('qemu-io', '-f', 'qcow2', '-c', `write -P 0x5a ${16 * 65_536} 64k`, dataFile(f, 0)),
    [0, 0, 5, 5],
    0,
  ],
  ['11 bit of the header', (f) => flip(dataFile(f, 1), 200), tables, [0, 3, 5]],
  ['11 bit of L1', (f) => flip(dataFile(f, 1), l1At + 5), tables, [0, 3, 5]],
  ['11 bit of L2', (f) => flip(dataFile(f, 1), firstEntry(f, 1) + 5), tables, [0, 3, 5]],
  ['12 bit of a refcount', (f) => flip(dataFile(f, 1), refcountsAt(f, 1) + 40), [0, 0, 5, 0], 0],
  ['12 bit of hidden data', (f) => flip(dataFile(f, 0), hostOf(f, 0, 2) + 77), [0, 0, 5, 0], 0],
  ['13 bit of data that i3 shows', (f) => flip(dataFile(f, 0), hostOf(f, 0, 16) + 77), [0, 0, 5, 5], 0],
  ['14 bit of a digest list', (f) => flip(digestFile(f, 1), 40), tables],
  ['15 bit of a point manifest', (f) => flip(manifestFile(f, 1), 300), all],
  ['15 bit of disk.json', (f) => flip(join(f.disk, 'disk.json'), 30), all],
  ['15 bit of repo.json', (f) => flip(join(f.root, 'repo.json'), 100), all],
  ...[50, 71, 100, 511, 512, 65_536, 131_072].map(
    (size): Row => [`17 i1 cut to ${size}`, (f) => truncateSync(dataFile(f, 1), size), all, 5],
  ),
  ['17 i1 cut to 3', (f) => truncateSync(dataFile(f, 1), 3), all, 3],
  ...[65_536, 1].map(
    (less): Row => [
      `17 i1 cut by ${less}`,
      (f) => truncateSync(dataFile(f, 1), statSync(dataFile(f, 1)).size - less),
      all,
      5,
    ],
  ),
  ['18 bytes appended', (f) => appendFileSync(dataFile(f, 1), Buffer.alloc(512)), all, 0],
  ['19 header size 0', header(1, 24, u64(0n)), tables, 5],
  ['19 header size 513', header(1, 24, u64(513n)), tables, 5],
  ['19 header size halved', header(3, 24, u64(32n * 65_536n)), tables, 0],
  ['20 manifest cut', asText((text) => text.slice(0, 400)), all],
  ['20 duplicate key', asText((text) => text.replace('{\n', '{\n  "sequence": 2,\n')), all],
  ['20 reformatted', asText((text) => JSON.stringify(JSON.parse(text))), all],
  [
    '20 negative number',
    i1((m) => {
      m.virtualSize = -65_536;
    }),
    all,
  ],
  ['20 huge number', asText((text) => text.replace(/"sequence": 2/, '"sequence": 20000000000000000000000')), all],
  [
    '21 newer format in repo.json',
    (f) =>
      forge(join(f.root, 'repo.json'), (m) => {
        m.format = 'backup-chain/2';
      }),
    [6, 6, 6, 6],
  ],
  [
    '21 newer format in a manifest',
    i1((m) => {
      m.format = 'backup-chain/2';
    }),
    [6, 6, 6, 6],
  ],
  [
    '22 self parent',
    (f) =>
      i1((m) => {
        m.parent = { id: f.ids[1], stateId: m.stateId };
      })(f),
    all,
  ],
  [
    '22 cycle',
    (f) =>
      i1((m) => {
        m.parent = { id: f.ids[3], stateId: m.stateId };
      })(f),
    all,
  ],
  [
    '22 two children',
    (f) =>
      forge(
        manifestFile(f, 3),
        (m) => {
          Object.assign(m, { id: 'other', sequence: 9 });
        },
        join(f.disk, 'points/000009-other.json'),
      ),
    all,
  ],
  [
    '22 duplicate id',
    (f) =>
      forge(
        manifestFile(f, 1),
        (m) => {
          m.sequence = 9;
        },
        join(f.disk, `points/000009-${f.ids[1]}.json`),
      ),
    all,
  ],
  [
    '22 full with parent',
    (f) =>
      forge(manifestFile(f, 0), (m) => {
        m.parent = { id: f.ids[1], stateId: 'a'.repeat(64) };
      }),
    all,
  ],
  [
    '22 first incremental',
    (f) =>
      forge(manifestFile(f, 0), (m) => {
        m.type = 'incremental';
      }),
    all,
  ],
  [
    '22 other checkpointChain',
    (f) =>
      forge(manifestFile(f, 3), (m) => {
        m.checkpointChain = (m.checkpointChain as string[]).toSpliced(1, 1);
      }),
    all,
  ],
  ['23 data file is a symlink', (f) => replace(dataFile(f, 1), (path) => symlinkSync(`${path}.moved`, path)), all, 0],
  ['23 data file is a FIFO', (f) => replace(dataFile(f, 1), (path) => qemu('mkfifo', path)), all, 3],
  ['23 data file is a directory', (f) => replace(dataFile(f, 1), (path) => mkdirSync(path)), all, 3],
  ['23 data file is a device', (f) => replace(dataFile(f, 1), (path) => qemu('mknod', path, 'c', '1', '5')), all, 3],
  ['23 hard link', (f) => linkSync(dataFile(f, 1), `${f.root}/further`), [0, 0, 0, 0], 0],
  ...['../../x.0.qcow2', '/etc/passwd', '..', 'a\nb.0.qcow2', '-rf.0.qcow2'].map(
    (file): Row => [
      `24 file name ${JSON.stringify(file)}`,
      i1((m) => {
        m.data = { ...(m.data as object), file };
      }),
      all,
    ],
  ),
  ...['/etc/passwd', 'base.img', 'json:{"driver":"raw"}', 'nbd://127.0.0.1:10809/x', 'http://127.0.0.1/x'].flatMap(
    (name): Row[] => [
      [`25 backing ${name} in F`, backing(0, name), tables, 3],
      [`26 backing ${name} in i1`, backing(1, name), tables, 3],
      [`26 backing ${name} in i1, ignored`, backing(1, name), tables, 0, ['--ignore-backing']],
    ],
  ),
  ['27 backing offset without length', header(0, 8, [...u64(512n), ...u32(0)]), tables, 3],
  ['27 backing offset 8 length 4', header(0, 8, [...u64(8n), ...u32(4)]), tables, 3],
  ['27 backing name beyond cluster 0', header(0, 8, [...u64(65_530n), ...u32(20)]), tables, 3],
  ['28 external data file', header(1, 72, u64(4n)), tables, 3],
  ...[1, 2, 3].map((crypt): Row => [`29 crypt ${crypt}`, header(1, 32, u32(crypt)), tables, 3]),
  ['30 dirty bit', header(1, 72, u64(1n)), tables, 5],
  ['30 corrupt bit', header(1, 72, u64(2n)), tables, 5],
  ['31 incompatible bit 5', header(1, 72, u64(32n)), tables, 3],
  ['31 incompatible bit 63', header(1, 72, u64(1n << 63n)), tables, 3],
  ['31 version 1', header(1, 4, u32(1)), tables, 3],
  ['31 version 4', header(1, 4, u32(4)), tables, 3],
  ['31 internal snapshots', header(1, 60, u32(1)), tables, 3],
  ['32 extended-L2 bit on a plain file', header(1, 72, u64(16n)), tables, [0, 5]],
  ['33 L1 beyond the end', header(1, 40, u64(1n << 40n)), tables, 5],
  ['33 L2 beyond the end', (f) => patch(dataFile(f, 1), l1At, u64((1n << 63n) | (1n << 40n))), tables, 5],
  ['33 L2 unaligned', (f) => patch(dataFile(f, 1), l1At, u64((1n << 63n) | 65_536n | 512n)), tables, 5],
  ['33 data beyond the end', (f) => patch(dataFile(f, 1), firstEntry(f, 1), u64((1n << 63n) | (1n << 40n))), tables, 5],
  [
    '33 one host cluster twice',
    (f) => patch(dataFile(f, 1), firstEntry(f, 1), u64((1n << 63n) | BigInt(l2At(f, 1)))),
    tables,
    5,
  ],
  ['33 reserved bits', (f) => flip(dataFile(f, 1), firstEntry(f, 1)), tables, 5],
  ['34 cluster_bits 8', header(1, 20, u32(8)), tables, 5],
  ['34 cluster_bits 22', header(1, 20, u32(22)), tables, 5],
  ['34 refcount_order 7', header(1, 96, u32(7)), tables, 5],
  ['34 size 1 PiB', header(1, 24, u64(1n << 50n)), tables, 5],
  ['35 version 2 increment', header(1, 4, u32(2)), tables, 3],
  ['35 version 2 full', header(0, 4, u32(2)), tables, 0],
];

const among = (code: Code): readonly number[] => (typeof code === 'number' ? [code] : code);

describe('corruption matrix, asked for i3', () => {
  it.each(rows.map((row) => ({ name: row[0], row })))(
    '$name',
    async ({ row: [, damage, codes, loose, flags = []] }) => {
      const f = bench.copy();
      damage(f);
      const address = `default/db/data@${f.ids[3]}`;
      const goal = join(bench.folder, 'restored');
      rmSync(goal, { force: true });
      for (const [n, level] of ['meta', 'fast', 'deep'].entries()) {
        const { code, failure } = await tool(['validate', address, '--repo', f.root, '--level', level]);
        expect(among(codes[n] as Code), `${level}: ${failure?.stack}`).toContain(code);
      }
      const restored = await tool(['restore', address, '--repo', f.root, '--file', '--to', goal]);
      expect(among(codes[3]), `restore: ${restored.failure?.stack}`).toContain(restored.code);
      if (restored.code === 0) expect(readFileSync(goal).equals(newest())).toBe(true);
      if (loose === undefined) return;
      const { code, failure } = await tool(['validate', '--files', ...layers(f), ...flags]);
      expect(among(loose), `loose: ${failure?.stack}`).toContain(code);
    },
  );

  it('16 bit of a set manifest: the set is damaged, its points are not', async () => {
    const f = bench.copy();
    flip(setFile(f), 200);
    const codes = [`default/db@${f.ids[3]}`, `default/db/data@${f.ids[3]}`].map(
      async (address) => (await tool(['validate', address, '--repo', f.root])).code,
    );
    expect(await Promise.all(codes)).toEqual([5, 0]);
    expect((await tool(['validate', '--repo', f.root, '--level', 'meta'])).code).toBe(5);
  });

  it('16 a set that names a missing point', async () => {
    const f = bench.copy();
    forge(setFile(f), (m) => {
      m.members = (m.members as { point: string }[]).map((one) => ({ ...one, point: 'gone' }));
    });
    expect((await tool(['validate', `default/db@${f.ids[3]}`, '--repo', f.root])).code).toBe(5);
    expect((await tool(['validate', `default/db/data@${f.ids[3]}`, '--repo', f.root])).code).toBe(0);
  });

  it('2 loose, i1 left out: nothing can be said against it', async () => {
    const f = bench.copy();
    const ran = await tool(['validate', '--files', dataFile(f, 0), dataFile(f, 2), dataFile(f, 3)]);
    expect(ran.code).toBe(0);
    expect(ran.text.join('\n')).toContain('order and completeness are taken from you');
  });

  it('names the file, the reason, and every point that is lost', async () => {
    const f = bench.copy();
    flip(dataFile(f, 1), l1At + 5);
    const { records, failure } = await tool(['validate', `default/db/data@${f.ids[3]}`, '--repo', f.root]);
    const [finding] = (records[0] as { findings: { object: string; at: number; dependents: string[] }[] }).findings;
    expect(finding).toMatchObject({ object: dataFile(f, 1), at: l1At, dependents: f.ids.slice(1) });
    expect(failure?.details.by).toContain(dataFile(f, 1));
  });
});

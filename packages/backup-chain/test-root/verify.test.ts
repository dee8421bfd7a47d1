import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { Bench, dataFile, flip, newest } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

const size = 64 * cluster;
const address = 'default/db/data@latest';

/** The newest content with some bytes changed, of another length: what is behind it is zero. */
function target(changes: Record<number, number> = {}, length = size): string {
  const bytes = new Uint8Array(length);
  bytes.set(newest().subarray(0, length));
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
  const path = join(mkdtempSync(join(bench.folder, 'verify-')), 'disk.img');
  writeFileSync(path, bytes);
  return path;
}

const verify = (path: string, ...more: string[]) =>
  tool(['verify', address, '--repo', bench.good, '--against', path, '--oracle', ...more]);

const five = 5 * cluster;
const rows: [name: string, path: () => string, exit: number, record: Record<string, unknown>][] = [
  ['equal', () => target(), 0, { equal: true, firstDifference: null, differingClusters: 0, bytesRead: size }],
  [
    'two clusters differ',
    () => target({ [five + 70]: 1, [five + 71]: 1, [size - 1]: 7 }),
    5,
    { equal: false, firstDifference: five, differingClusters: 2 },
  ],
  [
    'not zero where the disk is',
    () => target({ [4 * cluster]: 1 }),
    5,
    { firstDifference: 4 * cluster, differingClusters: 1 },
  ],
  [
    'larger, zero behind',
    () => target({}, size + cluster + 4096),
    0,
    { equal: true, bytesRead: size + cluster + 4096 },
  ],
  [
    'larger, not zero behind',
    () => target({ [size + 2 * cluster + 5]: 1 }, size + 3 * cluster),
    5,
    { equal: false, firstDifference: size + 2 * cluster, differingClusters: 1 },
  ],
  [
    'smaller by a part of a cluster of zeros',
    () => target({}, size - 512),
    5,
    { equal: false, firstDifference: size - cluster, differingClusters: 1 },
  ],
  [
    'smaller by clusters',
    () => target({}, size - 2 * cluster),
    5,
    { firstDifference: size - 2 * cluster, differingClusters: 2, bytesRead: size - 2 * cluster },
  ],
];

describe('verify', () => {
  it.each(rows)('%s', async (_, path, exit, record) => {
    const against = path();
    const { code, records, misfits } = await verify(against);
    expect(code).toBe(exit);
    expect(records).toEqual([expect.objectContaining({ kind: 'BackupVerification', against, ...record })]);
    expect(misfits).toEqual([]);
  });

  it('tells the first offset and how many clusters', async () => {
    const path = target({ [five]: 1, [size - 1]: 7 });
    expect((await verify(path)).failure).toMatchObject({
      kind: 'corrupt',
      message: expect.stringMatching(
        /disk\.img does not hold default\/db\/data@2.*: its first difference is at 327680$/,
      ),
      details: { differ: '2 clusters' },
    });
  });

  it('a disk that ends inside a cluster: what is behind it in the same cluster counts once', async () => {
    const root = join(bench.folder, 'odd');
    const image = join(bench.folder, 'odd.raw');
    const disk = new Disk(2 * cluster + 512).write(0, 2).save(image);
    mkdirSync(root);
    await done(['init', '--repo', root]);
    await done(['capture', '--repo', root, '--vm', 'db', `data=${image}`, '--format', 'raw']);
    const against = async (bytes: Uint8Array) => {
      const path = join(bench.folder, 'odd.target');
      writeFileSync(path, bytes);
      return (await tool(['verify', address, '--repo', root, '--against', path, '--oracle'])).records[0];
    };
    const larger = new Uint8Array(4 * cluster);
    larger.set(disk.bytes);
    expect(await against(disk.bytes)).toMatchObject({ equal: true });
    expect(await against(larger)).toMatchObject({ equal: true });
    larger[2 * cluster + 512] = 1;
    expect(await against(larger)).toMatchObject({ firstDifference: 2 * cluster + 512, differingClusters: 1 });
    larger[2 * cluster] = (larger[2 * cluster] as number) ^ 1;
    larger[3 * cluster] = 1;
    expect(await against(larger)).toMatchObject({ firstDifference: 2 * cluster, differingClusters: 2 });
  });

  it('loose files: their data is read', async () => {
    const f = bench.copy();
    const files = [0, 1, 2, 3].map((n) => dataFile(f, n));
    const loose = (path: string) => tool(['verify', '--files', ...files, '--against', path, '--oracle']);
    expect(await loose(target())).toMatchObject({ code: 0, records: [{ equal: true }] });
    expect(await loose(target({ [five]: 1 }))).toMatchObject({ code: 5, records: [{ firstDifference: five }] });
  });

  it('what is not there, is no file, or is not said', async () => {
    expect((await verify(join(bench.folder, 'nothing'))).code).toBe(3);
    expect((await verify(bench.folder)).code).toBe(3);
    expect((await tool(['verify', address, '--repo', bench.good])).code).toBe(2);
  });

  it.each([['verify', address, '--against', '/dev/null'], ['export', address, '--flat', '/dev/shm/never'], ['scrub']])(
    '%s while the trash is purged: 4',
    async (...words) => {
      const f = bench.copy();
      const purge = await local().query({ op: 'lock', path: join(f.root, 'vms/default/db/use') });
      expect((await tool([...words, '--repo', f.root])).code).toBe(4);
      purge.release();
    },
  );

  it('a set of one disk, and a disk of it by its name', async () => {
    const say = (...words: string[]) =>
      tool(['verify', 'default/db@latest', '--repo', bench.good, '--against', target(), ...words]);
    expect((await say()).code).toBe(0);
    expect((await say('--disk', 'data')).code).toBe(0);
    expect((await say('--disk', 'none')).code).toBe(3);
  });

  it('reads no data: rot in it is not seen, for the digests are what is compared', async () => {
    const f = bench.copy();
    flip(dataFile(f, 3), 2 * cluster + 9);
    const { code } = await tool(['validate', address, '--repo', f.root, '--level', 'deep']);
    expect(code).toBe(5);
    expect((await tool(['verify', address, '--repo', f.root, '--against', target()])).code).toBe(0);
  });

  it('opens nothing for writing and changes nothing', async () => {
    const before = await tree(bench.good);
    const path = target();
    const argv = ['backup-chain', 'verify', address, '--repo', bench.good, '--against', path];
    const { calls, code } = await strace(argv, { trace: 'openat,connect,unlink,rename' });
    expect(code).toBe(0);
    const opened = calls.filter((call) => call.startsWith('openat') && call.includes(`"${bench.folder}/`));
    expect(opened.length).toBeGreaterThan(8);
    expect(opened.filter((call) => /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call))).toEqual([]);
    expect(await tree(bench.good)).toEqual(before);
  });
});

needs('root', 'loop')('verify against a block device', () => {
  it('of 4 KiB sectors, through a symbolic link, held by another', async () => {
    const file = target({}, size + 8192);
    await using loop = await attach(file, { sectorSize: 4096, directIo: true });
    const link = join(bench.folder, 'by-link');
    symlinkSync(loop.device, link);
    const before = readFileSync(file);
    const held = openSync(loop.device, constants.O_RDONLY | constants.O_EXCL);
    expect(await verify(link)).toMatchObject({ code: 0, records: [{ equal: true, against: link }] });
    closeSync(held);
    await using other = await attach(target({ [five]: 1 }, size + 8192));
    expect(await verify(other.device)).toMatchObject({ code: 5, records: [{ firstDifference: five }] });
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});

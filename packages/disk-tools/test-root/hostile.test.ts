import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exitCodes, type FailureKind } from '@platter/host/failure';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Folder, tempFolder } from '../../../e2e/ground/folder.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';

const tool = [process.execPath, join(import.meta.dirname, '../dist/cli.mjs')];

type Patch = (image: Buffer, secret: string) => Buffer | undefined;
const u32 =
  (at: number, value: number): Patch =>
  (image) =>
    void image.writeUInt32BE(value, at);
const u64 =
  (at: number, value: bigint): Patch =>
  (image) =>
    void image.writeBigUInt64BE(value, at);
const all =
  (...patches: Patch[]): Patch =>
  (image, secret) =>
    patches.reduce<Buffer | undefined>((_, patch) => patch(image, secret), undefined);

/** A name in the first cluster that the header says is the backing file's. */
const backing =
  (name: (secret: string) => string): Patch =>
  (image, secret) => {
    const length = image.write(name(secret), 4096);
    all(u64(8, 4096n), u32(16, length))(image, secret);
  };
/** A header extension in the place of the first one. */
const extension =
  (type: number, text: (secret: string) => string, length?: number): Patch =>
  (image, secret) => {
    const written = image.write(text(secret), 120);
    all(u32(112, type), u32(116, length ?? written), u64(120 + Math.ceil(written / 8) * 8, 0n))(image, secret);
  };
const cut =
  (length: number): Patch =>
  (image) =>
    image.subarray(0, length);
const nothing = () => '';

/** Image by image: what is done to a sound one, and with which exit verify and ensure must end. */
const images: Record<string, [patch: Patch, exit: number]> = {
  'backing-raw': [backing((secret) => secret), 3],
  'backing-json': [backing((secret) => `json:{"driver":"raw","file":{"driver":"file","filename":"${secret}"}}`), 3],
  'backing-nbd': [backing(() => 'nbd://127.0.0.1:10809/x'), 3],
  'data-file': [
    all(
      u64(72, 4n),
      extension(0x44415441, (secret) => secret),
    ),
    3,
  ],
  'data-file-bit': [u64(72, 4n), 3],
  'data-file-name': [extension(0x44415441, (secret) => secret), 3],
  'raw-external': [u64(88, 2n), 3],
  'encrypted-aes': [u32(32, 1), 3],
  'encrypted-luks': [
    all(
      u32(32, 2),
      extension(0x0537be77, () => 'x'.repeat(16)),
    ),
    3,
  ],
  'unknown-bit': [u64(72, 32n), 3],
  'version-1': [u32(4, 1), 3],
  'version-4': [u32(4, 4), 3],
  'backing-half': [u64(8, 4096n), 3],
  'backing-long': [all(u64(8, 4096n), u32(16, 1024)), 3],
  'cluster-bits-8': [u32(20, 8), 5],
  'cluster-bits-22': [u32(20, 22), 5],
  'cluster-bits-200': [u32(20, 200), 5],
  'size-zero': [u64(24, 0n), 5],
  'size-odd': [u64(24, 64n * 2n ** 20n + 1n), 5],
  'size-huge': [u64(24, 2n ** 60n), 5],
  'l1-short': [u32(36, 0), 5],
  'l1-long': [u32(36, 4 * 2 ** 20 + 1), 5],
  'l1-unaligned': [u64(40, 513n), 5],
  'l1-beyond': [u64(40, 2n ** 40n), 5],
  'refcount-zero': [u64(48, 0n), 5],
  'refcount-beyond': [u64(48, 2n ** 40n), 5],
  'refcount-none': [u32(56, 0), 5],
  'refcount-large': [u32(56, 2 ** 20), 5],
  dirty: [u64(72, 1n), 5],
  corrupt: [u64(72, 2n), 5],
  'compression-2': [(image) => void all(u64(72, 8n), u32(104, 2 << 24))(image, ''), 5],
  'compression-unflagged': [u32(104, 1 << 24), 5],
  'refcount-order-7': [u32(96, 7), 5],
  'header-length-96': [u32(100, 96), 5],
  'extension-endless': [extension(0x12345678, nothing, 2 ** 32 - 1), 5],
  'cut-in-data': [(image) => image.subarray(0, image.length - 1), 5],
  'cut-71': [cut(71), 5],
  'cut-103': [cut(103), 5],
  'cut-4': [cut(4), 5],
  'cut-3': [cut(3), 3],
};
const names = Object.keys(images);
const unreadable = names.filter((name) => name.startsWith('cut-') && name !== 'cut-in-data');
const exitOf = (kind: string) => exitCodes[kind as FailureKind];

let folder: Folder;
const at = (name: string) => join(folder.path, 'images', name);
const secret = () => join(folder.path, 'secret');

beforeAll(async () => {
  folder = await tempFolder();
  await mkdir(join(folder.path, 'images'));
  await writeFile(secret(), 'host bytes'.repeat(10_000));
  const sound = at('sound');
  await succeed([...tool, 'ensure', sound, '--size', '64M']);
  for (const [name, [patch]] of Object.entries(images)) {
    const image = await readFile(sound);
    await writeFile(at(name), patch(image, secret()) ?? image);
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

const records = (stdout: string) =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
const trace = 'execve,open,openat,openat2,%network';
/** What was started, what was opened by the names that hostile images hold, and who was called. */
const reached = (calls: readonly string[]) => ({
  programs: calls.filter((call) => call.startsWith('execve(') && call.endsWith(' = 0')).length,
  secrets: calls.filter((call) => call.includes(secret())),
  network: calls.filter((call) => /^(socket|connect|bind|sendto)\(/.test(call)),
});
const quiet = { programs: 1, secrets: [], network: [] };

needs('strace', 'qemu-img')('a hostile image', () => {
  it('would reach the host through qemu-img: the trace sees it', async () => {
    const words = ['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', at('backing-raw'), join(folder.path, 'out')];
    const { secrets } = reached((await strace(words, { trace })).calls);
    expect(secrets.length).toBeGreaterThan(0);
  });

  it('is described by inspect, which opens and starts nothing', async () => {
    const before = await tree(folder.path);
    const { code, stdout, calls } = await strace([...tool, 'inspect', '-o', 'json', ...names.map(at)], { trace });
    expect(code).toBe(7);
    expect(reached(calls)).toEqual(quiet);
    const failed = records(stdout).filter(({ kind }) => kind === 'Failure');
    expect(failed.map(({ metadata }) => metadata.name)).toEqual(unreadable.map(at));
    expect(failed.map(({ failure }) => exitOf(failure))).toEqual([5, 5, 5, 3]);
    for (const disk of records(stdout).filter(({ kind }) => kind === 'Disk')) {
      const verdicts = disk.findings.map(({ verdict }: { verdict: string }) => verdict);
      const wanted = images[disk.path.split('/').at(-1)]?.[1] === 3 ? 'refuse' : 'corrupt';
      expect([disk.path, verdicts]).toEqual([
        disk.path,
        disk.path === at('cut-in-data') ? [] : expect.arrayContaining([wanted]),
      ]);
    }
    expect(await tree(folder.path)).toEqual(before);
  });

  it('shows what it refers to, escaped', async () => {
    const { stdout } = await run([...tool, 'inspect', '-o', 'json', at('backing-nbd'), at('data-file')]);
    expect(records(stdout).map(({ references }) => references)).toEqual([
      [{ kind: 'backing', text: 'nbd://127.0.0.1:10809/x' }],
      [{ kind: 'data-file', text: secret() }],
    ]);
  });

  it('is refused by verify with its exit code, which opens and starts nothing', async () => {
    const { code, stdout, calls } = await strace(
      [...tool, 'verify', '--fsck', '--digest', '-o', 'json', ...names.map(at)],
      { trace },
    );
    expect(code).toBe(7);
    expect({ ...reached(calls), programs: 1 }).toEqual(quiet);
    expect(calls.filter((call) => call.startsWith('execve(') && call.includes('qemu'))).toEqual([]);
    const told = records(stdout).map(({ metadata, failure }) => [metadata?.name, exitOf(failure)]);
    expect(told).toEqual(names.map((name) => [at(name), images[name]?.[1]]));
  });

  it.each(names)('is refused by ensure, and not touched: %s', async (name) => {
    const before = await readFile(at(name));
    const { code, calls, stderr } = await strace([...tool, 'ensure', at(name)], { trace });
    expect([code, stderr]).toEqual([images[name]?.[1], expect.stringMatching(/^disk-tools: will not use /)]);
    expect({ ...reached(calls), programs: 1 }).toEqual(quiet);
    expect(calls.filter((call) => call.startsWith('execve(') && call.includes('qemu'))).toEqual([]);
    expect(before.equals(await readFile(at(name)))).toBe(true);
  });

  it('that was cut anywhere is never taken for sound', async () => {
    const image = await readFile(at('sound'));
    const cuts = Array.from({ length: 60 }, (_, n) => Math.floor(((n + 0.5) * image.length) / 60));
    await mkdir(join(folder.path, 'cuts'));
    const paths = cuts.map((length) => join(folder.path, 'cuts', String(length)));
    for (const [n, path] of paths.entries()) await writeFile(path, image.subarray(0, cuts[n]));
    const { code, stdout } = await run([...tool, 'verify', '-o', 'json', ...paths]);
    expect([code, records(stdout).map(({ failure }) => failure)]).toEqual([7, paths.map(() => 'corrupt')]);
  });

  it('with internal snapshots is kept and verified, with a warning', async () => {
    const path = at('snapshot');
    await writeFile(path, await readFile(at('sound')));
    await succeed(['qemu-img', 'snapshot', '-c', 'one', path]);
    for (const verb of ['ensure', 'verify']) {
      const { code, stderr } = await run([...tool, verb, path]);
      expect([verb, code, stderr]).toEqual([verb, 0, expect.stringContaining('internal snapshots (rule Q11)')]);
    }
  });
});

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { local } from '@platter/host/local';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { needs } from '../../../e2e/ground/needs.ts';
import { environment, executable, succeed } from '../../../e2e/ground/run.ts';
import { killSession, members } from '../../../e2e/ground/session.ts';
import { joined } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { looseChain, looseSize } from './loose-chain.ts';
import { Bench, newest } from './repository.ts';

const bench = new Bench();
const socket = join(bench.folder, 'nbd, 1.sock');
const root = join(bench.folder, 'two');
const sizes = { data: 20 * 65_536, root: 3 * 65_536 + 512 };

beforeAll(async () => {
  await bench.make();
  mkdirSync(root);
  await done(['init', '--repo', root]);
  const [a, b] = ['a.raw', 'b.raw'].map((name) => join(bench.folder, name)) as [string, string];
  new Disk(sizes.data).write(1, 7).save(a);
  new Disk(sizes.root).write(0, 3).save(b);
  await done(['capture', '--repo', root, '--vm', 'two', `data=${a}`, `root=${b}`, '--format', 'raw']);
});
const sessions: number[] = [];
afterEach(() => sessions.splice(0).forEach(killSession));
afterAll(() => bench.dispose());

interface Served {
  record: { uri: string; exports: { name: string; size: number }[] };
  /** The session of everything that was started. */
  session: number;
  /** Ends it and tells how it ended. */
  end(signal: NodeJS.Signals): Promise<{ how: NodeJS.Signals | number | null; said: string }>;
}

/** Starts `serve`, and comes back when it says that it serves. */
async function serve(words: readonly string[], around: readonly string[] = []): Promise<Served> {
  const argv = [...around, executable('backup-chain'), 'serve', ...words, '--socket', socket, '-o', 'json'];
  const child = spawn(argv[0] as string, argv.slice(1), { env: environment(), detached: true });
  const ended = new Promise<NodeJS.Signals | number | null>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? code)),
  );
  const said = text(child.stderr);
  const session = child.pid as number;
  sessions.push(session);
  for await (const line of createInterface({ input: child.stdout }))
    return {
      record: JSON.parse(line),
      session,
      end: async (signal) => {
        child.kill(signal);
        return { how: await ended, said: await said };
      },
    };
  throw new Error(`serve ended: ${await said}`);
}

const uriOf = ({ record }: Served, name: string): string => record.uri.replace('///?', `///${name}?`);
const loose = (files: readonly string[]): string[] => ['--files', ...files];

async function equals(served: Served, name: string, bytes: Uint8Array): Promise<void> {
  const [copy, expected] = ['copy', 'expected'].map((one) => join(bench.folder, one)) as [string, string];
  writeFileSync(expected, bytes);
  await succeed(['qemu-img', 'convert', '-f', 'raw', '-O', 'raw', uriOf(served, name), copy]);
  expect(readFileSync(copy).equals(bytes)).toBe(true);
  await succeed(['qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uriOf(served, name), expected]);
}

/** Every process of a session is gone; the daemon's last breath is waited for. */
async function allGone(session: number): Promise<boolean> {
  const until = performance.now() + 10_000;
  while (members(session).length > 0 && performance.now() < until) await new Promise(setImmediate);
  return members(session).length === 0;
}

needs('qemu-img', 'qemu-storage-daemon')('serve', () => {
  it('a point: read by qemu-img as it was captured, kept from being purged; nothing is left after SIGTERM', async () => {
    const served = await serve(['default/db/data@latest', '--repo', bench.good]);
    expect(served.record).toMatchObject({ kind: 'Nbd', exports: [{ name: 'data', size: newest().length }] });
    await equals(served, 'data', newest());
    const use = join(bench.good, 'vms/default/db/use');
    await expect(local().query({ op: 'lock', path: use })).rejects.toMatchObject({ kind: 'busy' });
    expect(await served.end('SIGTERM')).toEqual({ how: 'SIGTERM', said: '' });
    expect([existsSync(socket), await allGone(served.session)]).toEqual([false, true]);
  });

  it('every disk of a set, each by its name; SIGINT ends it too', async () => {
    const served = await serve(['default/two@latest', '--repo', root]);
    expect(served.record.exports).toEqual([
      { name: 'data', size: sizes.data },
      { name: 'root', size: sizes.root },
    ]);
    await equals(served, 'data', readFileSync(join(bench.folder, 'a.raw')));
    await equals(served, 'root', readFileSync(join(bench.folder, 'b.raw')));
    expect((await served.end('SIGINT')).how).toBe('SIGINT');
    expect([existsSync(socket), await allGone(served.session)]).toEqual([false, true]);
  });

  it('is read-only', async () => {
    const served = await serve(['default/db/data@latest', '--repo', bench.good]);
    try {
      const write = () =>
        execFileSync('qemu-io', ['-f', 'raw', '-c', 'write 0 512', uriOf(served, 'data')], { stdio: 'pipe' });
      expect(write).toThrow(/Permission denied|read-only/i);
    } finally {
      await served.end('SIGTERM');
    }
  });

  it('dies with us: after SIGKILL the daemon is gone, and the next run takes the dead socket away', async () => {
    const killed = await serve(['default/db/data@latest', '--repo', bench.good]);
    await killed.end('SIGKILL');
    expect([existsSync(socket), await allGone(killed.session)]).toEqual([true, true]);
    const served = await serve(['default/db/data@latest', '--repo', bench.good]);
    await equals(served, 'data', newest());
    await served.end('SIGTERM');
  });

  it('ends with 1 when the daemon dies', async () => {
    const served = await serve(['default/db/data@latest', '--repo', bench.good]);
    for (const { pid, name } of members(served.session))
      if (name.startsWith('qemu-storage')) process.kill(pid, 'SIGKILL');
    const { how, said } = await served.end('SIGCONT');
    expect(how).toBe(1);
    expect(said).toContain('qemu-storage-daemon ended by itself');
    expect(existsSync(socket)).toBe(false);
  });

  it('401 loose links, also where few files may be open at first', async () => {
    const folder = join(bench.folder, 'deep');
    mkdirSync(folder);
    const { files, bytes } = looseChain(folder, 401);
    const served = await serve(loose(files), ['prlimit', '--nofile=64:4096', '--']);
    expect(served.record.exports).toEqual([{ name: 'disk', size: looseSize }]);
    await equals(served, 'disk', bytes);
    await served.end('SIGTERM');
    const argv = [executable('backup-chain'), 'serve', ...loose(files), '--socket', socket];
    const few = () => execFileSync('prlimit', ['--nofile=64:64', '--', ...argv], { stdio: 'pipe', env: environment() });
    expect(few).toThrow(/EMFILE|too many open files/i);
    expect(existsSync(socket)).toBe(false);
  });

  it('opens the repository only for reading, and speaks with nobody but its own socket', async () => {
    const before = await tree(bench.good);
    const log = join(bench.folder, 'strace.log');
    const flags = ['-f', '-qq', '--seccomp-bpf', '-y', '-s', '200', '-e', 'trace=openat,connect,unlink,rename', '-o'];
    const served = await serve(['default/db/data@latest', '--repo', bench.good], ['strace', ...flags, log, '--']);
    await equals(served, 'data', newest());
    const [ours] = members(served.session).filter(({ name }) => name !== 'strace');
    process.kill(ours?.pid as number, 'SIGTERM');
    await served.end('SIGCONT');
    const calls = joined(readFileSync(log, 'utf8').split('\n'));
    const opened = calls.filter((call) => call.startsWith('openat'));
    const layers = opened.filter((call) => call.includes('.qcow2'));
    expect(layers.length).toBeGreaterThan(7); // four by us, four by the daemon
    expect(
      opened.filter((call) => call.includes(`${bench.good}/`) && /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call)),
    ).toEqual([]);
    const connects = calls.filter((call) => call.startsWith('connect('));
    expect(connects.length).toBeGreaterThan(0);
    expect(connects.filter((call) => !call.includes(`sun_path="${socket}"`))).toEqual([]);
    expect(await tree(bench.good)).toEqual(before);
  });
});

it('refuses what is in the way, and a damaged chain', async () => {
  const say = (path: string | null, ...words: string[]) =>
    tool(['serve', ...words, '--repo', bench.good, ...(path === null ? [] : ['--socket', path])]);
  const address = 'default/db/data@latest';
  expect((await say(null, address)).code).toBe(2);
  expect((await say(`/${'x'.repeat(107)}`, address)).code).toBe(2);
  const file = join(bench.folder, 'file');
  writeFileSync(file, 'mine');
  expect((await say(file, address)).failure?.message).toBe(`will not serve at ${file}: it is there, and no socket`);
  expect(readFileSync(file, 'utf8')).toBe('mine');
  const path = join(bench.folder, 'taken');
  const server = createServer((client) => client.end('hello')).listen(path);
  const busy = await say(path, address);
  expect([busy.code, busy.failure?.message]).toEqual([3, `will not serve at ${path}: somebody serves there`]);
  await new Promise((resolve) => server.close(resolve));
  const f = bench.copy();
  writeFileSync(join(f.disk, 'data', `${f.ids[0]}.0.dig`), 'x');
  expect((await tool(['serve', address, '--repo', f.root, '--socket', join(bench.folder, 's')])).code).toBe(5);
});

import { describe, expect, it } from 'vitest';
import {
  chmod,
  copy,
  create,
  jot,
  link,
  mkdir,
  reflink,
  remove,
  removeDir,
  rename,
  sync,
  truncate,
  write,
} from '../src/changes.ts';
import { because, type Change } from '../src/door.ts';
import { dry } from '../src/dry.ts';
import { errno, Failure, Interrupted } from '../src/failure.ts';
import { faulty, parseFault } from '../src/faulty.ts';
import { local } from '../src/local.ts';
import { qmp, run, stat, text } from '../src/looks.ts';
import { narrated } from '../src/narrated.ts';
import { must } from '../src/outcome.ts';
import { prefixed } from '../src/prefixed.ts';
import { recorded, replayed } from '../src/recorded.ts';
import { output, scripted } from '../src/scripted.ts';
import { shown } from '../src/shown.ts';
import { Undo } from '../src/undo.ts';

describe('shown', () => {
  it.each<[Change, string]>([
    [run('losetup', ['-d', '/dev/loop7']), 'losetup -d /dev/loop7'],
    [run('sh', ['-c', 'a b'], { env: { X: 'y z' } }), `env 'X=y z' sh -c 'a b'`],
    [run('cat', [], { input: "it's" }), `printf %s 'it'\\''s' | cat`],
    [run('ls', [], { cwd: '/a b' }), `(cd '/a b' && ls)`],
    [create('/a', '', 0o400), 'install -m 0400 /dev/null /a'],
    [write('/a', 'x y', 0o600), `install -m 0600 /dev/null /a && printf %s 'x y' > /a`],
    [write('/a', new Uint8Array([0]), 0o600), 'install -m 0600 /dev/null /a && printf %s AA== | base64 -d > /a'],
    [jot('/a', '', { mode: 0o600, shell: 'id -u' }), 'install -m 0600 /dev/null /a && id -u > /a'],
    [copy('/a', '/b'), 'cp --reflink=never --sparse=always --preserve=timestamps -- /a /b'],
    [reflink('/a', '/b'), 'cp --reflink=always --preserve=timestamps -- /a /b'],
    [link('/a', '/b'), 'ln -T -- /a /b'],
    [rename('-a', '/b'), 'mv -T -- -a /b'],
    [remove('/a'), 'rm -f -- /a'],
    [removeDir('/a'), 'rmdir -- /a'],
    [truncate('/a', 512), 'truncate -s 512 -- /a'],
    [mkdir('/a', 0o700), 'mkdir -m 0700 -- /a'],
    [chmod('/a', 0o400), 'chmod 0400 -- /a'],
    [sync('/a'), 'sync -- /a'],
    [
      qmp('/run/q.sock', 'job-dismiss', { id: 'a' }),
      `(printf '%s\\n' '{"execute":"qmp_capabilities"}' '{"execute":"job-dismiss","arguments":{"id":"a"}}'; sleep 1) | socat - UNIX-CONNECT:/run/q.sock`,
    ],
  ])('%#: %o', (change, line) => expect(shown(change)).toBe(line));
});

describe('wrappers', () => {
  it('dry shows with the reason, changes nothing, and looks for real', async () => {
    const [machine, lines] = [scripted({ 'text /a': 'x' }), [] as string[]];
    const host = dry(machine, (line, why) => lines.push(`${line} # ${why}`));
    await host.change(because(link('/a', '/b'), 'it must not be lost'));
    expect(await host.change(run('true', []))).toEqual(output({}));
    expect([await host.query(text('/a')), host.dry, machine.changes]).toEqual(['x', true, []]);
    expect(lines).toEqual(['ln -T -- /a /b # it must not be lost', 'true # undefined']);
  });

  it('narrated tells before it does', async () => {
    const [machine, told] = [scripted({}), [] as string[]];
    await narrated(machine, (line) => told.push(`${line} (${machine.changes.length} done)`)).change(sync('/a'));
    expect([told, machine.changes]).toEqual([['sync -- /a (0 done)'], ['sync -- /a']]);
  });

  it('prefixed puts words before programs, looked at or run, and leaves files alone', async () => {
    const machine = scripted({ 'nsenter -t 1 -m -- lvm vgs': output({ stdout: 'v' }) });
    const host = prefixed(machine, ['nsenter', '-t', '1', '-m', '--']);
    expect((await host.query(run('lvm', ['vgs']))).stdout).toBe('v');
    await host.change(run('losetup', ['-d', '/dev/loop1']));
    await host.change(sync('/a'));
    expect(machine.changes).toEqual(['nsenter -t 1 -m -- losetup -d /dev/loop1', 'sync -- /a']);
  });

  it('faulty fails exactly the N-th change', async () => {
    const machine = scripted({});
    const host = faulty(machine, parseFault('fail@2'));
    await host.change(sync('/1'));
    await expect(host.change(sync('/2'))).rejects.toThrow('injected fault');
    await host.change(sync('/3'));
    expect(machine.changes).toEqual(['sync -- /1', 'sync -- /3']);
  });

  it('enospc fails with the errno of a full disk', async () => {
    const full = faulty(scripted({}), parseFault('enospc@1')).change(create('/1', '', 0o600));
    expect(errno(await full.catch((error) => error))).toBe('ENOSPC');
  });

  it.each(['kill', 'kill@0', 'boom@1', ''])('PLATTER_FAULT=%s is refused', (word) =>
    expect(() => parseFault(word)).toThrow(Failure),
  );

  it('a recording replays bigints, bytes and failures, and nothing else', async () => {
    const lines: string[] = [];
    const facts = { ino: 2n ** 60n, bytes: new Uint8Array([1, 2]) };
    const machine = scripted({
      'stat /a': facts,
      true: () => {
        throw new Failure('busy', 'held');
      },
    });
    const host = recorded(machine, (line) => lines.push(line));
    await host.query(stat('/a'));
    await host.change(run('true', [])).catch(() => {});
    const again = replayed(lines);
    expect(await again.query(stat('/a'))).toEqual(facts);
    await expect(again.change(run('true', []))).rejects.toMatchObject({ kind: 'busy', message: 'held' });
    await expect(replayed(lines).query(text('/a'))).rejects.toThrow('crossing 1');
  });
});

describe('undo', () => {
  it('takes back last first, keeps the failure, and says what stayed', async () => {
    const [undo, back] = [new Undo(), [] as number[]];
    undo.add('one', async () => void back.push(1));
    undo.add('two', async () => {
      throw new Error('still held');
    });
    undo.add('three', async () => void back.push(3));
    const failed = undo.guard(async () => {
      throw new Failure('refused', 'no');
    });
    await expect(failed).rejects.toMatchObject({ kind: 'refused', details: { left: 'two (still held)' } });
    expect(back).toEqual([3, 1]);
  });

  it('takes nothing back after keep', async () => {
    const [undo, back] = [new Undo(), [] as number[]];
    undo.add('one', async () => void back.push(1));
    undo.keep();
    await expect(undo.guard(() => Promise.reject(new Error('late')))).rejects.toThrow('late');
    expect(back).toEqual([]);
  });
});

describe('programs', () => {
  const host = local();
  it('gives code, output and errors, with the plain locale and no shell', async () => {
    const words = ['-c', 'echo "$1 $LC_ALL"; echo oops >&2; exit 3', 'x', '$HOME'];
    expect(await host.query(run('sh', words))).toEqual({ code: 3, stdout: '$HOME C\n', stderr: 'oops\n', report: '' });
  });
  it('reads a report on descriptor 3', async () =>
    expect((await host.query(run('sh', ['-c', 'echo r >&3'], { report: true }))).report).toBe('r\n'));
  it('feeds input', async () => expect((await host.query(run('cat', [], { input: 'abc' }))).stdout).toBe('abc'));
  it('a missing program is unsupported and names its package', async () =>
    expect(host.query(run('no-such-program', []))).rejects.toMatchObject({
      kind: 'unsupported',
      hint: 'apt-get install coreutils',
    }));
  it('a timeout is "could not tell"', async () => {
    const slow = run('sleep', ['60'], { timeout: 50 });
    const ended = await host.query(slow);
    expect(ended.code).toBeNull();
    expect(() => must(slow, ended)).toThrow('could not tell');
  });
  it('silence longer than the stall limit ends it, output before does not', async () => {
    const chunks: string[] = [];
    const watched = run('sh', ['-c', 'echo a; exec sleep 60'], {
      stall: 100,
      watch: (chunk) => void chunks.push(chunk),
    });
    expect([(await host.query(watched)).code, chunks]).toEqual([null, ['a\n']]);
  });
  it('a program that prints nothing does not stall while it reads and writes', async () => {
    const words = ['if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=1500000', 'status=none'];
    expect((await host.query(run('dd', words, { stall: 200 }))).code).toBe(0);
  });
  it('a watcher that has seen enough ends it', async () => {
    const endless = run('yes', [], { watch: () => false });
    expect((await host.query(endless)).code).toBeNull();
  });
  it('a signal ends the running program once; what puts things back runs', async () => {
    const abort = new AbortController();
    const machine = local(abort.signal);
    const sleeping = machine.change(run('sleep', ['60']));
    setTimeout(() => abort.abort(), 50);
    await expect(sleeping).rejects.toThrow(Interrupted);
    expect((await machine.change(run('true', []))).code).toBe(0);
  });
  it('a signal before a look is delivered to that look', async () => {
    const machine = local(AbortSignal.abort());
    await expect(machine.query(stat('/'))).rejects.toThrow(Interrupted);
    expect(await machine.query(stat('/'))).toMatchObject({ kind: 'dir' });
  });
});

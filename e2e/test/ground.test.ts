import { existsSync } from 'node:fs';
import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sweep, tempFolder } from '../ground/folder.ts';
import { needs, verdict } from '../ground/needs.ts';
import { has, missing } from '../ground/probe.ts';
import { run, succeed } from '../ground/run.ts';
import { killSession, members } from '../ground/session.ts';
import { joined, strace } from '../ground/strace.ts';
import { tree } from '../ground/tree.ts';

describe('run', () => {
  it('gives both pipes, the exit code and nothing of our environment', async () => {
    const outcome = await run(['sh', '-c', 'cat; env >&2; exit 3'], { stdin: 'in', env: { MARK: 'here' } });
    expect(outcome).toMatchObject({ code: 3, signal: null, stdout: 'in' });
    expect(outcome.stderr).toContain('MARK=here');
    expect(outcome.stderr).not.toContain('VITEST');
  });

  it('tells the signal', async () => {
    expect(await run(['sh', '-c', 'kill -9 $$'])).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('kills all that is not done in time', async () => {
    const late = run(['sh', '-c', 'echo $$; sleep 60; :'], { timeout: 100 });
    await expect(late).rejects.toThrow(/not done after 100 ms/);
    const session = await late.catch((error: Error) => Number(/^(\d+)$/m.exec(error.message)?.[1]));
    expect(members(session as number)).toEqual([]);
  });

  it('finds what a program left running', async () => {
    const { session } = await run(['sh', '-c', 'sleep 60 >/dev/null 2>&1 &']);
    expect(members(session)).toMatchObject([{ name: 'sleep' }]);
    killSession(session);
  });

  it('throws with all that was said when success was asked for', async () => {
    await expect(succeed(['sh', '-c', 'echo why >&2; exit 4'])).rejects.toThrow(/why\n\(exit 4\)/);
  });
});

describe('needs', () => {
  const absent = (['nbd', 'device-mapper', 'strace'] as const).filter((name) => !has(name)).slice(0, 1);

  it('says what was probed, and fails only for what REQUIRE names', () => {
    for (const name of absent) {
      expect(missing([name])[0]).toContain(`no ${name} (probed: `);
      expect(verdict([name], [])).toMatchObject({ fail: false });
      expect(verdict([name], [name])).toMatchObject({ fail: true });
    }
    expect(verdict([], ['xfs'])).toBeUndefined();
  });
});

describe('tempFolder', () => {
  it('is gone after its use, and safe from the sweep of others before', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder.path, 'a'), 'a');
    await sweep();
    expect(existsSync(join(folder.path, 'a'))).toBe(true);
    await folder[Symbol.asyncDispose]();
    expect(existsSync(folder.path)).toBe(false);
  });

  it('is swept after its owner was killed', async () => {
    await using parent = await tempFolder();
    const module = join(import.meta.dirname, '../ground/folder.ts');
    const script = `import { tempFolder } from '${module}'; console.log((await tempFolder()).path); process.kill(process.pid, 'SIGKILL')`;
    const words = ['node', '--input-type=module', '-e', script];
    const { stdout } = await run(words, { env: { TMPDIR: parent.path } });
    expect(existsSync(stdout.trim())).toBe(true);
    await sweep(parent.path);
    expect(existsSync(stdout.trim())).toBe(false);
  });
});

describe('tree', () => {
  it('tells content, mode, identity and kind', async () => {
    await using folder = await tempFolder();
    await mkdir(join(folder.path, 'd'));
    await writeFile(join(folder.path, 'd/f'), 'f', { mode: 0o600 });
    await link(join(folder.path, 'd/f'), join(folder.path, 'g'));
    await symlink('d/f', join(folder.path, 'l'));
    const found = await tree(folder.path);
    expect(Object.keys(found)).toEqual(['d', 'd/f', 'g', 'l']);
    expect(found).toMatchObject({ d: { kind: 'folder' }, 'd/f': { mode: '600', size: 1 }, l: { content: 'd/f' } });
    expect(found.g).toEqual(found['d/f']);
    await writeFile(join(folder.path, 'g'), 'h');
    expect((await tree(folder.path)).g?.content).not.toBe(found.g?.content);
  });
});

describe('strace', () => {
  it('joins calls that another thread cut in two, and leaves out signals and exits', () => {
    const lines = [
      '1 read(3,  <unfinished ...>',
      '2 close(4) = 0',
      '1 <... read resumed>"a", 1) = 1',
      '1 +++ exited with 0 +++',
    ];
    expect(joined(lines)).toEqual(['close(4) = 0', 'read(3,"a", 1) = 1']);
  });
});

needs('strace')('strace on a program', () => {
  it('lists what was asked for', async () => {
    const { calls, code } = await strace(['cat', '/dev/null'], { trace: 'openat' });
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes('/dev/null'))).toHaveLength(1);
    expect(calls.every((call) => call.startsWith('openat('))).toBe(true);
  });
});

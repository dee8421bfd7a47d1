import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { environment, run } from '../../../e2e/ground/run.ts';

const tool = [process.execPath, join(import.meta.dirname, '../dist/cli.mjs')];

/** A directory with a qemu-img of our own, for the front of PATH. */
async function shim(dir: string, script: string): Promise<{ PATH: string }> {
  await mkdir(dir);
  await writeFile(join(dir, 'qemu-img'), `#!/bin/sh\n${script}\n`);
  await chmod(join(dir, 'qemu-img'), 0o755);
  return { PATH: `${dir}:${environment().PATH}` };
}

/** Waits until a file is there. */
async function appears(path: string): Promise<void> {
  while ((await stat(path).catch(() => null)) === null) await pause(10);
}

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Starts ensure, lets it come to the point where qemu-img runs, and sends a signal. */
async function struck(dir: string, signal: NodeJS.Signals) {
  const started = join(dir, 'started');
  const env = await shim(
    join(dir, 'bin'),
    `echo $$ > ${started}.tmp && mv ${started}.tmp ${started} && exec sleep 600`,
  );
  const [program = '', ...words] = [...tool, 'ensure', 'd', '--size', '64M'];
  const child = spawn(program, words, { cwd: join(dir, 'disks'), env: environment(env), stdio: 'ignore' });
  await appears(started);
  const converting = Number((await run(['cat', started])).stdout);
  child.kill(signal);
  const [, ended] = await once(child, 'exit');
  while (alive(converting)) await pause(10);
  return ended;
}

needs('qemu-img')('ensure, struck while qemu-img runs', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s: puts everything back and dies of it', async (signal) => {
    await using folder = await tempFolder();
    await mkdir(join(folder.path, 'disks'));
    expect(await struck(folder.path, signal)).toBe(signal);
    expect(await readdir(join(folder.path, 'disks'))).toEqual([]);
  });

  it('by SIGKILL: leaves no disk, qemu-img dies too, and the next run sweeps', async () => {
    await using folder = await tempFolder();
    const disks = join(folder.path, 'disks');
    await mkdir(disks);
    expect(await struck(folder.path, 'SIGKILL')).toBe('SIGKILL');
    const left = await readdir(disks);
    expect(left.map((name) => name.replace(/[0-9a-f]{16}/, 'X')).sort()).toEqual(['.d.platter-X', '.d.platter-lock']);
    expect((await run([...tool, 'ensure', 'd', '--size', '64M'], { cwd: disks })).stdout).toMatch(/^created/);
    expect(await readdir(disks)).toEqual(['d']);
  });
});

needs(
  'root',
  'ext4',
  'qemu-img',
)('ensure, when the filesystem is full', () => {
  it('says so, and leaves nothing', async () => {
    await using tools = await tempFolder();
    await using folder = await mounted('ext4', 200 * 2 ** 20);
    const fill = join(folder.path, 'fill');
    const qemu = (await run(['sh', '-c', 'command -v qemu-img'])).stdout.trim();
    const env = await shim(join(tools.path, 'bin'), `cat /dev/zero > ${fill} 2>/dev/null\nexec ${qemu} "$@"`);
    const { code, stderr } = await run([...tool, 'ensure', join(folder.path, 'd'), '--size', '64M'], { env });
    expect([code, stderr]).toEqual([1, expect.stringContaining('no space left on device')]);
    expect((await readdir(folder.path)).sort()).toEqual(['fill', 'lost+found']);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { at, bytesOf, clean, contentOf, newestContent, proven, remember, repo, sound, tidy, whole } from '../chain.ts';

const image = (dir: string): string => join(dir, 'disk.qcow2');
const written = ['-c', 'write -q -P 7 0 100k', '-c', 'write -q -z 1M 128k', '-c', 'discard -q 2M 64k'];

/** The image of a disk, and a repository. */
async function begin(dir: string): Promise<void> {
  await mkdir(repo(dir));
  await succeed(at(dir, ['init']));
  await writeFile(join(dir, 'raw'), bytesOf(0));
  await succeed(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', join(dir, 'raw'), image(dir)]);
}

/** The names of the bitmaps that a stopped image has. */
async function bitmapsIn(dir: string): Promise<string[]> {
  const info = JSON.parse(await succeed(['qemu-img', 'info', '--output=json', image(dir)]));
  return (info['format-specific'].data.bitmaps ?? []).map(({ name }: { name: string }) => name);
}

/** The newest point is what the image holds, and the one bitmap in it is that point's. */
async function followed(dir: string): Promise<void> {
  await proven(dir);
  await tidy(dir);
  const raw = join(dir, 'raw');
  await succeed(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', image(dir), raw]);
  expect(await newestContent(dir)).toBe(contentOf(await readFile(raw)));
  const [newest] = (await succeed(at(dir, ['list', '--points', '-o', 'name']))).trim().split('\n').reverse();
  expect(await bitmapsIn(dir)).toEqual([expect.stringContaining(newest?.split('@')[1] ?? 'no point')]);
}

const byBitmap = (dir: string): string[] =>
  at(dir, ['capture', '--vm', 'db', `data=${image(dir)}`, '--engine', 'bitmap']);

/** A QEMU per folder that has the image open for writing, with a monitor. */
const machines = new Map<string, ChildProcess>();
const monitor = (dir: string): string => join(dir, 'qmp');

async function start(dir: string): Promise<void> {
  await rm(monitor(dir), { force: true });
  const words = [
    ...['--blockdev', `driver=file,node-name=file,filename=${image(dir)}`],
    ...['--blockdev', 'driver=qcow2,node-name=data,file=file'],
    ...['--chardev', `socket,id=c,path=${monitor(dir)},server=on,wait=off`, '--monitor', 'chardev=c'],
  ];
  machines.set(dir, spawn('qemu-storage-daemon', words, { stdio: 'ignore' }));
  while (!existsSync(monitor(dir))) await pause(10);
}

/** Ends it as a person would, or as a crash does; what a clean end stores is stored then. */
async function end(dir: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const machine = machines.get(dir);
  machines.delete(dir);
  if (machine === undefined || machine.exitCode !== null) return;
  const ended = once(machine, 'exit');
  machine.kill(signal);
  await ended;
}

const pushed = (dir: string): string[] => at(dir, ['capture', '--vm', 'db', 'data=data', '--qmp', monitor(dir)]);

export const cases: readonly CrashCase[] = [
  {
    name: 'backup-chain capture (bitmap)',
    needs: [],
    keeps: [...whole, clean, 'no changed byte is missed', 'the image has one bitmap of ours, that of the newest point'],
    material: async (dir) => {
      await begin(dir);
      await succeed(byBitmap(dir));
      await succeed(['qemu-io', '-f', 'qcow2', ...written, image(dir)]);
    },
    prepare: async (dir, material) => {
      await cp(material, dir, { recursive: true });
      await remember(dir);
    },
    command: byBitmap,
    interrupted: sound,
    settled: followed,
    bestEffort: /the next capture removes it/,
  },
  {
    name: 'backup-chain capture (qmp)',
    needs: ['qemu-storage-daemon'],
    keeps: [...whole, clean, 'no changed byte is missed', 'QEMU has one bitmap of ours, that of the newest point'],
    material: async (dir) => {
      await begin(dir);
      await start(dir);
      await succeed(pushed(dir));
      await end(dir, 'SIGTERM');
      await succeed(['qemu-io', '-f', 'qcow2', ...written, image(dir)]);
    },
    prepare: async (dir, material) => {
      await cp(material, dir, { recursive: true, filter: (path) => path !== monitor(material) });
      await remember(dir);
      await start(dir);
    },
    command: pushed,
    interrupted: sound,
    settled: async (dir) => {
      await end(dir, 'SIGTERM');
      await followed(dir);
    },
    cleanup: (dir) => end(dir, 'SIGKILL'),
    bestEffort: /the next capture removes it/,
  },
];

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Layer, makeChain, statesOf, write, zero } from '../../../packages/backup-chain/test-root/foreign.ts';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { at, clean, contentOf, newestContent, proven, remember, repo, sound, tidy, whole } from '../chain.ts';

const KiB = 1024;
const size = 512 * KiB;
const full: Layer = { size, ops: [write(0, 256 * KiB, 1)] };
const plain: Layer = { size, ops: [write(64 * KiB, 64 * KiB, 2), zero(128 * KiB, 64 * KiB)] };
const finer: Layer = { options: 'cluster_size=16k', size, ops: [write(70 * KiB, 90 * KiB, 3), zero(0, 64 * KiB)] };

const vm = (dir: string): string => join(repo(dir), 'vms/default/db');
const files = (dir: string): string[] => [join(dir, 'f0.qcow2'), join(dir, 'f1.qcow2')];
const bringing = (dir: string, count: number): string[] =>
  at(dir, [
    'import',
    '--vm',
    'db',
    ...files(dir)
      .slice(0, count)
      .map((file) => `data=${file}`),
  ]);

const everyMoment = 'after the rerun there is one point and one set of each moment, and the newest has its content';

/** What holds when all is done: as many points and sets as moments, the newest with its content. */
async function settled(dir: string, states: readonly Uint8Array[]): Promise<void> {
  await proven(dir);
  await tidy(dir);
  expect(await newestContent(dir)).toBe(contentOf(states.at(-1) as Uint8Array));
  for (const folder of ['disks/data/points', 'sets'])
    expect(readdirSync(join(vm(dir), folder)).filter((name) => name.endsWith('.json'))).toHaveLength(states.length);
}

/** A repository with the full imported, and the increment that is to follow it. */
const increment = (name: string, layer: Layer): CrashCase => ({
  name,
  needs: ['qemu-img', 'qemu-io'],
  keeps: [...whole, clean, everyMoment],
  material: async (dir) => {
    makeChain(files(dir), [full, layer]);
    await mkdir(repo(dir));
    await succeed(at(dir, ['init']));
    await succeed(bringing(dir, 1));
  },
  prepare: async (dir, material) => {
    await cp(material, dir, { recursive: true, preserveTimestamps: true });
    await remember(dir);
  },
  command: (dir) => bringing(dir, 2),
  interrupted: sound,
  settled: (dir) => settled(dir, statesOf([full, layer])),
});

const tree = (dir: string): string => join(dir, 'tree');
const put = (path: string, content: object): void => {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, JSON.stringify(content));
};

const ids = ['cp-1', 'cp-2'] as const;
const base = (dir: string): string => join(tree(dir), 'checkpoints/default/db');

/** The index of a tree of one VM with one disk, and the objects of its checkpoints. */
function list(dir: string, count: number): void {
  const checkpoints = ids.slice(0, count).map((id, n) => {
    put(join(base(dir), id, 'vmb.json'), { metadata: { name: id } });
    const [type, parent] = n === 0 ? ['full', null] : ['incremental', 'cp-1'];
    return { id, type, parent, timestamp: `2026-01-1${n}T00:00:00Z`, vmBackup: id, files: [`${id}-data.qcow2`] };
  });
  put(join(base(dir), 'index.json'), { vmName: 'db', namespace: 'default', checkpoints });
}

/** A tree that was imported, and then got a further checkpoint. */
async function grownTree(dir: string): Promise<void> {
  const images = ids.map((id) => join(base(dir), id, `${id}-data.qcow2`));
  makeChain(images, [full, plain]);
  list(dir, 1);
  await mkdir(repo(dir));
  await succeed(at(dir, ['init']));
  await succeed(at(dir, ['import', '--oadp', tree(dir)]));
  list(dir, 2);
}

export const cases: readonly CrashCase[] = [
  increment('backup-chain import (a file as it is)', plain),
  increment('backup-chain import (a file that is rewritten)', finer),
  {
    name: 'backup-chain import (OADP tree)',
    needs: ['qemu-img', 'qemu-io'],
    keeps: [...whole, clean, everyMoment],
    material: grownTree,
    prepare: async (dir, material) => {
      await cp(material, dir, { recursive: true, preserveTimestamps: true });
      await remember(dir);
    },
    command: (dir) => at(dir, ['import', '--oadp', tree(dir)]),
    interrupted: sound,
    settled: (dir) => settled(dir, statesOf([full, plain])),
  },
];

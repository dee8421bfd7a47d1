import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';

const uuid = '7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a11';
const make = (path: string, ...more: string[]) => [
  ...['disk-tools', 'ensure', path, '--size', '64M', '--uuid', uuid],
  ...more,
];

/** A scratch directory that no lock names: not ours to sweep. */
const stranger = '.disk.platter-00000000000000ff';
const strange = async (dir: string) => {
  await mkdir(join(dir, stranger));
  await writeFile(join(dir, stranger, 'theirs'), 'x');
};

const recorded = '.disk.platter-0123456789abcdef';
/** What a run leaves that was killed after its commit: the lock that names its scratch directory, and that. */
const litter = async (dir: string) => {
  await mkdir(join(dir, recorded, 'out'), { recursive: true });
  await writeFile(join(dir, recorded, 'raw'), 'half');
  await writeFile(join(dir, '.disk.platter-lock'), `${JSON.stringify({ workspaces: [recorded] })}\n`);
};

/** The disk is absent, or sound with the label and UUID asked for, as QEMU and our own reader see it. */
async function whole(dir: string, format = 'qcow2'): Promise<void> {
  if (!(await readdir(dir)).includes('disk')) return;
  const path = join(dir, 'disk');
  const told = JSON.parse(await succeed(['disk-tools', 'inspect', path, '--from-format', format, '-o', 'json']));
  expect(told).toMatchObject({ findings: [], virtualSize: 64 * 2 ** 20 });
  expect(told.filesystems).toMatchObject([{ type: 'ext4', label: 'platter-data', uuid, state: 'clean' }]);
  if (format === 'qcow2') await succeed(['qemu-img', 'check', '-q', '-f', 'qcow2', path]);
}

/** Only the disk and what was never ours is there. */
async function alone(dir: string, format = 'qcow2'): Promise<void> {
  expect((await readdir(dir, { recursive: true })).sort()).toEqual([stranger, `${stranger}/theirs`, 'disk']);
  await whole(dir, format);
}

const keeps = [
  'the disk is absent or whole, with its label and UUID, and QEMU finds no error in it',
  'after the rerun there is no lock and no scratch directory',
  'a scratch directory that no lock names is not touched',
];

export const cases: readonly CrashCase[] = [
  {
    name: 'disk-tools ensure (qcow2)',
    needs: ['qemu-img'],
    keeps,
    prepare: strange,
    command: (dir) => make(join(dir, 'disk')),
    interrupted: (dir) => whole(dir),
    settled: (dir) => alone(dir),
  },
  {
    name: 'disk-tools ensure (raw, one partition)',
    needs: ['qemu-img'],
    keeps,
    prepare: strange,
    command: (dir) => make(join(dir, 'disk'), '--format', 'raw', '--layout', 'mbr'),
    interrupted: (dir) => whole(dir, 'raw'),
    settled: (dir) => alone(dir, 'raw'),
  },
  {
    name: 'disk-tools ensure (after a crash)',
    needs: ['qemu-img'],
    keeps: ['the disk that is there is kept', 'what a lock names is swept, and nothing else'],
    material: async (dir) => void (await succeed(make(join(dir, 'disk')))),
    prepare: async (dir, material) => {
      await copyFile(join(material, 'disk'), join(dir, 'disk'));
      await strange(dir);
      await litter(dir);
    },
    command: (dir) => make(join(dir, 'disk')),
    interrupted: (dir) => whole(dir),
    settled: (dir) => alone(dir),
  },
  {
    name: 'disk-tools verify --fsck',
    needs: ['qemu-img'],
    keeps: ['the disk is not written to', 'after the rerun there is no lock and no scratch directory'],
    material: async (dir) => void (await succeed(make(join(dir, 'disk')))),
    prepare: async (dir, material) => {
      await copyFile(join(material, 'disk'), join(dir, 'disk'));
      await strange(dir);
    },
    command: (dir) => ['disk-tools', 'verify', '--fsck', join(dir, 'disk')],
    interrupted: (dir) => whole(dir),
    settled: (dir) => alone(dir),
  },
];

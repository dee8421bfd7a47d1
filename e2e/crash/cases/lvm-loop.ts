import assert from 'node:assert/strict';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { detach, loopsIn } from '../../ground/loops.ts';
import { succeed } from '../../ground/run.ts';
import type { CrashCase, Disturbance } from '../case.ts';

const MiB = 2 ** 20;

/** A VG name is the whole host's: each ground has its own, so that two runs of the matrix do not meet. */
const groupOf = (dir: string): string => `crash-${/platter-ground-([^/]+)/.exec(dir)?.[1]?.toLowerCase()}`;

const inRoot = (dir: string) => ({ PLATTER_LVM_LOOP_DIRS: dir });
const tool = (dir: string, ...words: string[]) => succeed(['lvm-loop', ...words], { env: inRoot(dir) });

const files = (sizes: Record<string, number>) =>
  Object.entries(sizes).flatMap(([name, size]) => ['--file', `${name}=${size}Mi`]);

/** Without a reserve: the ground is small. Without activation: this kernel may have no device-mapper. */
const apply = (dir: string, sizes: Record<string, number>): string[] => [
  ...['lvm-loop', 'apply', groupOf(dir), ...files(sizes)],
  ...['--reserve', '0%,0', '--no-activate'],
];

const image = (dir: string, file: string) => join(dir, `${groupOf(dir)}.${file}.img`);

type Sidecar = { file: string; pvUuid: string; vgUuid: string | null; phase: string; ino: string };

/** The sidecars by file; each must be whole. */
async function sidecars(dir: string): Promise<Record<string, Sidecar>> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.lvm-loop.json') && !name.startsWith('.'));
  const read = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(dir, name), 'utf8')) as Sidecar),
  );
  return Object.fromEntries(read.map((sidecar) => [sidecar.file, sidecar]));
}

async function status(dir: string) {
  const [record] = (await tool(dir, 'list', '-o', 'json')).trim().split('\n').filter(Boolean);
  return record === undefined ? null : JSON.parse(record).status;
}

/** No image is on two loops; `all`: each is on one. */
async function onceServed(dir: string, all = false): Promise<void> {
  const backing = (await loopsIn(dir)).map((loop) => loop.backing);
  assert.equal(new Set(backing).size, backing.length, 'an image is on two loops');
  const images = (await readdir(dir)).filter((name) => name.endsWith('.img') && !name.startsWith('.'));
  if (all) assert.equal(backing.length, images.length, 'not every image is on a loop');
}

/** What an interrupted run left has its name only when it is complete. */
async function wholeOrAbsent(dir: string, sizes: Record<string, readonly number[]>): Promise<void> {
  for (const [file, wanted] of Object.entries(sizes)) {
    const found = await stat(image(dir, file)).catch(() => null);
    if (found !== null) assert.ok(wanted.includes(found.size / MiB), `${file} has ${found.size} bytes`);
  }
}

/** No temporary of ours is left. */
async function swept(dir: string): Promise<void> {
  const left = (await readdir(dir)).filter((name) => name.endsWith('.creating') || name.endsWith('.new'));
  assert.deepEqual(left, []);
}

const uuids = (found: Record<string, Sidecar>) =>
  Object.fromEntries(Object.values(found).map(({ file, pvUuid }) => [file, pvUuid]));

/** What was recorded before the rerun, for comparison after it: a PV keeps its UUID, a VG too. */
const noted = (dir: string) => join(dir, 'noted');
const note = async (dir: string) => writeFile(noted(dir), JSON.stringify(await sidecars(dir)));

async function sameAsNoted(dir: string, at?: Disturbance): Promise<void> {
  if (at?.fault !== 'kill') return;
  const before = JSON.parse(await readFile(noted(dir), 'utf8')) as Record<string, Sidecar>;
  const after = await sidecars(dir);
  assert.deepEqual({ ...uuids(after), ...uuids(before) }, uuids(after));
  for (const { file, vgUuid } of Object.values(before)) if (vgUuid) assert.equal(after[file]?.vgUuid, vgUuid);
}

/** The group is complete and attached, with exactly these files of these sizes (MiB). */
async function complete(dir: string, sizes: Record<string, number>, at?: Disturbance): Promise<void> {
  const found = await status(dir);
  assert.ok(['active', 'attached'].includes(found.phase), `the group is ${found.phase}`);
  const has = found.files.map(({ name, fileSize, pvSize, promise }: Record<string, unknown>) => [
    name,
    Number(fileSize) / MiB,
    Number(pvSize) / MiB,
    promise,
  ]);
  assert.deepEqual(
    has,
    Object.entries(sizes).map(([name, size]) => [name, size, size - 4, 'kept']),
  );
  for (const { phase, vgUuid } of Object.values(await sidecars(dir)))
    assert.deepEqual([phase, vgUuid], ['ready', found.vgUuid]);
  await onceServed(dir, true);
  await swept(dir);
  await sameAsNoted(dir, at);
}

/** An LVM command of the test's own on the loops of a folder. */
async function lvm(dir: string, ...words: string[]): Promise<string> {
  const devices = (await loopsIn(dir)).map(({ device }) => device).join(',');
  const [verb = '', ...rest] = words;
  const env = { LVM_SYSTEM_DIR: join(dir, '.lvm-loop'), LVM_SUPPRESS_FD_WARNINGS: '1' };
  const config = 'activation{udev_sync=0 udev_rules=0 monitoring=0}';
  return succeed(['lvm', verb, '--config', config, '--devices', devices, '--driverloaded', 'n', ...rest], { env });
}

const canary = 'the bytes of a logical volume';
/** A volume's first extent begins where the PV's do: 1 MiB into the image. */
const canaryAt = MiB;

async function prepared(dir: string, sizes: Record<string, number>, volume = true): Promise<void> {
  await succeed(apply(dir, sizes), { env: inRoot(dir) });
  if (!volume) return;
  await lvm(dir, 'lvcreate', '-an', '-Zn', '-Wn', '-L', '8M', '-n', 'canary', groupOf(dir));
  const file = await open(image(dir, 'd0'), 'r+');
  await file.write(canary, canaryAt);
  await file.sync();
  await file.close();
}

async function canaryLives(dir: string): Promise<void> {
  const file = await open(image(dir, 'd0'));
  const { buffer } = await file.read(Buffer.alloc(canary.length), 0, canary.length, canaryAt);
  await file.close();
  assert.equal(buffer.toString(), canary);
  if ((await loopsIn(dir)).length === 0) return;
  assert.match(await lvm(dir, 'lvs', '--noheadings', '-o', 'lv_name'), /canary/);
}

/** What the verb rightly leaves attached. Somebody who lists all VGs of the host has a loop open for a moment. */
async function loosened(dir: string): Promise<void> {
  await detach(await loopsIn(dir));
  for (let left = 100; left > 0 && (await loopsIn(dir)).length > 0; left -= 1) await pause(20);
}

const common = {
  needs: ['root', 'loop', 'lvm', 'xfs'],
  env: inRoot,
  cleanup: loosened,
  bestEffort: /direct-io stays|complained, yet it is done/,
} as const;

export const cases: readonly CrashCase[] = [
  {
    ...common,
    name: 'lvm-loop apply (new group)',
    keeps: [
      'an image has its name only when its blocks are allocated',
      'no image is on two loops',
      'a PV has the UUID that was recorded before it was made',
      'after the rerun the VG is whole, its image is on one loop and no temporary is left',
    ],
    prepare: async () => {},
    command: (dir) => apply(dir, { d0: 64 }),
    async interrupted(dir) {
      await wholeOrAbsent(dir, { d0: [64] });
      await onceServed(dir);
      await note(dir);
    },
    settled: (dir, at) => complete(dir, { d0: 64 }, at),
  },
  {
    ...common,
    name: 'lvm-loop apply (further file)',
    keeps: [
      'the file that was there keeps its UUID, its logical volume and its bytes',
      'attach --all serves the group after a kill',
      'after the rerun the VG has both files and no temporary is left',
    ],
    prepare: (dir) => prepared(dir, { d0: 64 }),
    command: (dir) => apply(dir, { d0: 64, d1: 64 }),
    async interrupted(dir, { fault }) {
      await wholeOrAbsent(dir, { d0: [64], d1: [64] });
      if (fault === 'kill') await tool(dir, 'attach', '--all', '--no-activate');
      await onceServed(dir);
      await canaryLives(dir);
      await note(dir);
    },
    async settled(dir, at) {
      await complete(dir, { d0: 64, d1: 64 }, at);
      await canaryLives(dir);
    },
  },
  {
    ...common,
    name: 'lvm-loop apply (growth)',
    keeps: [
      'the file is never smaller than its PV',
      'the logical volume and its bytes stay',
      'the rerun finishes the growth',
    ],
    prepare: (dir) => prepared(dir, { d0: 64 }),
    command: (dir) => apply(dir, { d0: 96 }),
    async interrupted(dir) {
      const {
        files: [file],
      } = await status(dir);
      assert.ok(file.fileSize >= file.size && file.fileSize > file.pvSize, 'the image is smaller than its PV');
      await canaryLives(dir);
      await note(dir);
    },
    async settled(dir, at) {
      await complete(dir, { d0: 96 }, at);
      await canaryLives(dir);
    },
  },
  {
    ...common,
    name: 'lvm-loop attach',
    keeps: ['no image is on two loops', 'UUIDs, the logical volume and its bytes stay'],
    async prepare(dir) {
      await prepared(dir, { d0: 64 });
      await tool(dir, 'detach', groupOf(dir), '--stay-down');
    },
    command: (dir) => ['lvm-loop', 'attach', groupOf(dir), '--no-activate'],
    async interrupted(dir) {
      await onceServed(dir);
      await note(dir);
    },
    async settled(dir, at) {
      await complete(dir, { d0: 64 }, at);
      await canaryLives(dir);
    },
  },
  {
    ...common,
    name: 'lvm-loop detach',
    keeps: [
      'a loop is there or gone, never about to go',
      'the images stay as they were',
      'attach serves the group again',
    ],
    prepare: (dir) => prepared(dir, { d0: 64 }),
    command: (dir) => ['lvm-loop', 'detach', groupOf(dir), '--stay-down'],
    async interrupted(dir) {
      await onceServed(dir);
      await canaryLives(dir);
      await note(dir);
    },
    async settled(dir, at) {
      assert.deepEqual(await loopsIn(dir), []);
      await sameAsNoted(dir, at);
      await tool(dir, 'attach', '--no-activate', groupOf(dir));
      await complete(dir, { d0: 64 }, at);
      await canaryLives(dir);
    },
  },
  {
    ...common,
    name: 'lvm-loop remove',
    keeps: ['a group that is not being removed has its VG', 'after the rerun nothing of the group is left'],
    prepare: (dir) => prepared(dir, { d0: 64 }),
    command: (dir) => ['lvm-loop', 'remove', groupOf(dir), `--confirm=${groupOf(dir)}`, '--with-volumes'],
    async interrupted(dir) {
      await onceServed(dir);
      const phases = Object.values(await sidecars(dir)).map(({ phase }) => phase);
      if (phases.includes('ready')) assert.match(await lvm(dir, 'vgs', '--noheadings', '-o', 'vg_name'), /crash-/);
    },
    settled: async (dir) => {
      assert.deepEqual(await readdir(dir), []);
      assert.deepEqual(await loopsIn(dir), []);
    },
  },
];

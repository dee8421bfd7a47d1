import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { detach, loopsIn } from '../../ground/loops.ts';
import { succeed } from '../../ground/run.ts';
import type { CrashCase } from '../case.ts';
import { clean, copyOf, files, head, image, onVolume, ours, promise, started, tidy, tool, whole } from '../pool.ts';

/** What lies among the exports, by id: the ends of its names, and the letter of its image. */
async function exportsIn(dir: string): Promise<string[]> {
  const own = Object.entries(await files(dir)).filter(([path]) => path.startsWith('.platter/exports/'));
  return own.map(([path, letter]) => (path.endsWith('.img') ? `img ${letter}` : path.slice(path.lastIndexOf('.') + 1)));
}

const listed = async (dir: string) => (await ours(dir, 'list', '--exports', '-o', 'name')).split('\n').filter(Boolean);

const paired = async (dir: string) => {
  const [found, open] = [await exportsIn(dir), await listed(dir)];
  expect(found.sort()).toEqual([...open.map(() => 'img A'), ...open.map(() => 'json')]);
};

/** The sizes of the head and the working copy, in KiB; 0 for what is not there. */
const sizes = (dir: string, volume = 'vm/root') =>
  Promise.all(
    ['.img', '-dirty.img'].map(async (end) => {
      const found = await stat(join(dir, 'pool', `${volume}${end}`)).catch(() => null);
      return (found?.size ?? 0) / 1024;
    }),
  );

const clone = (name: string, needs: CrashCase['needs'], to: string): CrashCase => ({
  ...onVolume,
  name,
  needs,
  keeps: ['the new volume is there whole or not at all', ...onVolume.keeps],
  prepare: async (dir, material) => {
    await copyOf(dir, material);
    if (to.startsWith('lab/')) await succeed(['btrfs', '-q', 'subvolume', 'create', join(dir, 'pool/lab')]);
  },
  command: () => [tool, 'clone', 'vm/root@1', to],
  accepts: [0, 3],
  interrupted: async (dir, at) => {
    expect(await head(dir, to)).toBeOneOf([undefined, 'A']);
    const there = (await head(dir, to)) === undefined ? [] : [to];
    expect((await ours(dir, 'list', '-o', 'name')).trim().split('\n')).toEqual([...there, 'vm/root'].sort());
    await whole(['A', 'B'], ['B'])(dir, at);
  },
  settled: async (dir) => {
    expect([await head(dir, to), await head(dir)]).toEqual(['A', 'B']);
    expect(await ours(dir, 'show', to)).toContain('saved  stopped');
    await clean(dir);
  },
});

const resize = (name: string, how: { words: string[]; from: number; to: number }): CrashCase => ({
  ...onVolume,
  name,
  needs: ['root', 'xfs'],
  command: () => [tool, 'resize', 'vm/root', ...how.words],
  interrupted: async (dir, at) => {
    expect((await sizes(dir))[0]).toBeOneOf([how.from, how.to]);
    expect(Object.values(await files(dir))).toEqual(expect.arrayContaining(['A', 'B']));
    await tidy(dir, at);
  },
  settled: async (dir) => {
    expect(await sizes(dir)).toEqual([how.to, 0]);
    const first = (await readFile(join(dir, 'pool/vm/root.img'), 'utf8')).slice(0, Math.min(how.from, how.to) * 1024);
    expect(first).toBe(image('B').slice(0, first.length));
    expect(await ours(dir, 'show', 'vm/root@latest', '-o', 'json')).toContain('"number":2,');
    await clean(dir);
  },
});

/** There is an export, each has its image and its note, and nothing half made is left. */
async function exported(dir: string): Promise<void> {
  expect((await listed(dir)).length).toBeGreaterThan(0);
  await paired(dir);
  await clean(dir);
}

export const cases: readonly CrashCase[] = [
  clone('reflink-pool clone (link)', ['root', 'xfs'], 'vm/new'),
  clone('reflink-pool clone (reflink, into a subvolume)', ['root', 'btrfs'], 'lab/new'),
  {
    ...onVolume,
    name: 'reflink-pool export',
    needs: ['root', 'xfs'],
    keeps: ['an export is there whole or not at all, and nothing half made after the next one', ...onVolume.keeps],
    command: () => [tool, 'export', 'vm/root@1'],
    interrupted: async (dir, at) => {
      expect((await exportsIn(dir)).filter((one) => one.startsWith('img'))).toEqual(
        (await listed(dir)).map(() => 'img A'),
      );
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: exported,
  },
  {
    ...onVolume,
    name: 'reflink-pool export (reflink, of a volume in a subvolume)',
    needs: ['root', 'btrfs'],
    keeps: ['an export is there whole or not at all, and nothing half made after the next one', ...onVolume.keeps],
    prepare: async (dir, material) => {
      await mkdir(join(dir, 'pool'));
      await succeed(['btrfs', '-q', 'subvolume', 'create', join(dir, 'pool/vm')]);
      await copyOf(dir, material);
    },
    command: () => [tool, 'export', 'vm/root@1'],
    interrupted: async (dir, at) => {
      expect((await exportsIn(dir)).filter((one) => one === 'img A')).toEqual((await listed(dir)).map(() => 'img A'));
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: exported,
  },
  {
    ...onVolume,
    name: 'reflink-pool export DEST',
    needs: ['root', 'xfs'],
    keeps: ['the file is there whole or not at all', ...onVolume.keeps],
    command: (dir) => [tool, 'export', 'vm/root@1', join(dir, 'out.raw')],
    accepts: [0, 3],
    interrupted: async (dir, at) => {
      const content = await readFile(join(dir, 'out.raw'), 'utf8').catch(() => null);
      expect(content).toBeOneOf([null, image('A')]);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect(await readFile(join(dir, 'out.raw'), 'utf8')).toBe(image('A'));
      expect((await readdir(dir)).filter((name) => name.includes('~'))).toEqual([]);
      await clean(dir);
    },
  },
  {
    ...onVolume,
    name: 'reflink-pool export --end',
    needs: ['root', 'xfs'],
    keeps: ['no name of the volume is touched', promise.temporaries],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      const { id } = JSON.parse(await ours(dir, 'export', 'vm/root@1', '-o', 'json'));
      const words = `exec reflink-pool export --end ${id}\n`;
      await writeFile(join(dir, 'end'), `#!/bin/sh\n${words}`, { mode: 0o755 });
    },
    command: (dir) => [join(dir, 'end')],
    interrupted: async (dir, at) => {
      expect(await exportsIn(dir)).toBeOneOf([['img A', 'json'], ['json'], []]);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      expect([await listed(dir), await exportsIn(dir)]).toEqual([[], []]);
      await clean(dir);
    },
  },
  resize('reflink-pool resize (larger)', { words: ['128K'], from: 64, to: 128 }),
  resize('reflink-pool resize (smaller)', {
    words: ['32K', '--allow-shrink', '--confirm=vm/root'],
    from: 64,
    to: 32,
  }),
  {
    ...onVolume,
    name: 'reflink-pool resize (started, on a loop device)',
    needs: ['root', 'loop', 'xfs'],
    keeps: [...onVolume.keeps, 'what was written stays, and the device shows the size of its file'],
    prepare: async (dir, material) => {
      await started(dir, material, 'C');
      await succeed(['losetup', '--find', '--', join(dir, 'pool/vm/root-dirty.img')]);
    },
    command: () => [tool, 'resize', 'vm/root', '128K'],
    interrupted: async (dir, at) => {
      expect(await sizes(dir)).toBeOneOf([
        [64, 64],
        [64, 128],
      ]);
      expect(await readFile(join(dir, 'pool/vm/root-dirty.img'), 'utf8')).toMatch(/^C{65536}\0*$/);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      const [loop] = await loopsIn(dir);
      const device = await succeed(['blockdev', '--getsize64', loop?.device ?? '']);
      expect([await sizes(dir), Number(device)]).toEqual([[64, 128], 128 * 1024]);
      expect(await readFile(join(dir, 'pool/vm/root-dirty.img'), 'utf8')).toMatch(/^C{65536}\0{65536}$/);
      await clean(dir);
    },
    cleanup: async (dir) => detach(await loopsIn(dir)),
  },
  {
    ...onVolume,
    name: 'reflink-pool resize (volatile)',
    needs: ['root', 'xfs'],
    prepare: async (dir, material) => {
      await copyOf(dir, material);
      await ours(dir, 'create', 'tmp', '--kind', 'volatile', '--size', '64K');
    },
    command: () => [tool, 'resize', 'tmp', '128K'],
    interrupted: async (dir, at) => {
      expect(await ours(dir, 'show', 'tmp')).toMatch(/ (64|128) KiB/);
      await whole(['A', 'B'], ['B'])(dir, at);
    },
    settled: async (dir) => {
      await ours(dir, 'start', 'tmp');
      expect(await sizes(dir, 'tmp')).toEqual([0, 128]);
      await clean(dir);
    },
  },
];

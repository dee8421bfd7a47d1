import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { finding } from '../src/records/health.ts';
import { fragmented, TestPool } from './pool.ts';

type Found = { code: string; path: string; fix: string };

/** What doctor finds; it ends with 3 when that is something, and touches nothing. */
async function findings(pool: TestPool, ...words: string[]): Promise<Found[]> {
  const before = await tree(pool.path);
  const { code, stdout } = await pool.try('doctor', ...words, '-o', 'json');
  expect(await tree(pool.path)).toEqual(before);
  const found = stdout.split('\n').filter(Boolean);
  expect(code).toBe(found.length === 0 ? 0 : 3);
  return found.map((line) => finding.parse(JSON.parse(line)));
}

/** Pastes the fix of each finding into a shell. */
async function paste(pool: TestPool, found: readonly Found[]): Promise<void> {
  for (const { fix } of found) await succeed(['sh', '-e', '-c', fix], { env: pool.env });
}

/** Committed bytes of a volume with one revision and a head. */
async function volume(pool: TestPool, name: string): Promise<void> {
  await pool.say('create', name, '--size', '64K');
  await pool.say('start', name);
  await pool.write(`${name}-dirty.img`, 0, randomBytes(512));
  await pool.say('stop', name, '--no-prepare');
}

const fileAt = async (pool: TestPool, begin: string) =>
  (await readdir(pool.path)).find((name) => name.startsWith(begin)) ?? '';
const foreign =
  (...names: string[]) =>
  async (pool: TestPool) => {
    for (const name of names) await writeFile(pool.file(name), name);
  };
const moved = async (pool: TestPool, from: string, to: string) => rename(pool.file(from), pool.file(to));
const noted = (pool: TestPool, path: string, content: object) =>
  writeFile(join(pool.path, '.platter', path), JSON.stringify(content));

type Row = [code: string, paths: string[], spoil: (pool: TestPool) => Promise<unknown>, also?: string];

const rows: Row[] = [
  ['foreign-file', ['notes', 'v.img.old'], foreign('notes', 'v.img.old')],
  ['foreign-file', ['d.img'], (pool) => mkdir(pool.file('d.img'))],
  [
    'bad-revision-name',
    ['v.img.03@2026-11-20T00:00:00Z', 'v.img.foo@2026-11-20T00:00:00Z', 'v.img@2018-01-02T03:04:05Z'],
    foreign('v.img.03@2026-11-20T00:00:00Z', 'v.img.foo@2026-11-20T00:00:00Z', 'v.img@2018-01-02T03:04:05Z'),
  ],
  [
    'duplicate-number',
    ['v.img.1@2020-01-01T00:00:00Z'],
    async (pool) => {
      await writeFile(pool.file('v.img.1@2020-01-01T00:00:00Z'), 'again', { mode: 0o400 });
    },
  ],
  ['symlink', ['out'], (pool) => symlink('/etc', pool.file('out'))],
  [
    'symlink',
    ['v.img.7@2026-11-20T00:00:00Z'],
    (pool) => symlink('/etc/passwd', pool.file('v.img.7@2026-11-20T00:00:00Z')),
  ],
  ['cow-file', ['v-cow.img', 'v-cow.img.old'], foreign('v-cow.img', 'v-cow.img.old')],
  ['writable-head', ['v.img'], (pool) => succeed(['chmod', '600', pool.file('v.img')])],
  ['writable-head', ['v.img.1@'], async (pool) => succeed(['chmod', '600', pool.file(await fileAt(pool, 'v.img.1@'))])],
  [
    'shared-working-copy',
    ['v-dirty.img'],
    async (pool) => {
      await pool.say('start', 'v');
      await link(pool.file('v-dirty.img'), pool.file('v.img.2@2026-11-20T00:00:00Z'));
    },
    'writable-head',
  ],
  [
    'shared-working-copy',
    ['v-dirty.img'],
    async (pool) => {
      await pool.say('start', 'v');
      await link(pool.file('v-dirty.img'), join(pool.path, '../elsewhere'));
    },
  ],
  [
    'unclean',
    ['v-dirty.img'],
    async (pool) => {
      await pool.say('start', 'v');
      await rm(join(pool.path, '.platter/sessions/v.json'));
    },
  ],
  [
    'headless',
    ['v-dirty.img'],
    async (pool) => {
      await rm(join(pool.path, '.platter/sessions/v.json'));
      await moved(pool, 'v.img', 'v-dirty.img');
      await succeed(['chmod', '600', pool.file('v-dirty.img')]);
    },
  ],
  ['broken', ['v.img'], (pool) => rm(pool.file('v.img'))],
  [
    'stale-prepared',
    ['v-precache.img'],
    async (pool) => {
      await pool.say('start', 'v', '--prepare');
      await utimes(pool.file('v-precache.img'), 1, 1);
    },
  ],
  [
    'orphan-sidecar',
    ['.platter/volumes/gone.json'],
    async (pool) => {
      await pool.say('create', 'gone', '--size', '64K');
      await rm(pool.file('gone.img'));
    },
  ],
  ['orphan-sidecar', ['.platter/volumes/v.json'], (pool) => writeFile(join(pool.path, '.platter/volumes/v.json'), '{')],
  [
    'orphan-sidecar',
    ['.platter/volumes/s.json'],
    async (pool) => {
      await pool.say('create', 'src', '--size', '64K');
      await pool.say('create', 's', '--kind', 'snapshot', '--source', 'src');
      await rm(pool.file('src.img'));
      await rm(join(pool.path, '.platter/volumes/src.json'));
    },
  ],
  [
    'unfinished-set',
    ['.platter/sets/night.intent'],
    (pool) => noted(pool, 'sets/night.intent', { members: [{ volume: 'v', number: 9 }] }),
  ],
  [
    'unfinished-set',
    ['.platter/sets/night.revert'],
    (pool) => noted(pool, 'sets/night.revert', { members: [{ volume: 'v', number: 1 }] }),
  ],
  [
    'unfinished-set',
    ['.platter/sets/torn.intent'],
    (pool) => writeFile(join(pool.path, '.platter/sets/torn.intent'), '{'),
  ],
  [
    'expired-export',
    ['.platter/exports/'],
    async (pool) => {
      const [{ id }] = (await pool.tell('export', 'v')) as unknown as [{ id: string }];
      await noted(pool, `exports/${id}.json`, { volume: 'v', number: 1, expiresAt: '2020-01-01T00:00:00Z' });
    },
  ],
  [
    'expired-export',
    ['.platter/exports/0123456789ab.img'],
    (pool) => noted(pool, 'exports/0123456789ab.json', { volume: 'v', number: 1, expiresAt: null }),
  ],
  [
    'fragmented',
    ['many.img'],
    async (pool) => {
      await writeFile(join(pool.path, '../many.raw'), randomBytes(8 * 2 ** 20));
      await pool.say('import', 'many', join(pool.path, '../many.raw'), '--create');
      await pool.say('start', 'many');
      await using guest = await open(pool.file('many-dirty.img'), 'r+');
      for (let at = 0; at < 8 * 2 ** 20; at += 8192) await guest.write(randomBytes(4096), 0, undefined, at);
      await guest.sync();
      await guest.close();
      await pool.say('stop', 'many', '--no-prepare');
    },
  ],
  [
    'nested-mount',
    ['sub'],
    async (pool) => {
      await mkdir(pool.file('sub'));
      await succeed(['mount', '-t', 'tmpfs', 'none', pool.file('sub')]);
    },
  ],
];

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`doctor on ${filesystem}`, () => {
    it('finds nothing in a pool of every kind and state that is no fault', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await volume(pool, 'v');
      await volume(pool, 'a/w');
      await pool.say('create', 's', '--kind', 'snapshot', '--source', 'v');
      await pool.say('create', 't', '--kind', 'volatile', '--size', '64K');
      for (const name of ['s', 't', 'a/w']) await pool.say('start', name);
      await pool.say('start', 'v', '--prepare');
      await pool.say('export', 'v');
      expect([await findings(pool), await findings(pool, '--for', 'qubes'), await findings(pool, 'v')]).toEqual([
        [],
        [],
        [],
      ]);
    });

    it.each(rows)('finds %s %j, and its fix puts it right', async (code, paths, spoil, also) => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await volume(pool, 'v');
      await spoil(pool);
      const all = await findings(pool);
      const found = all.filter((one) => one.code === code);
      expect(all.filter((one) => one.code !== code && one.code !== also)).toEqual([]);
      expect(found.map(({ path }) => path.slice(pool.path.length + 1))).toEqual(
        paths.map((path) => expect.stringMatching(path)),
      );
      await paste(pool, found);
      expect((await findings(pool)).filter((one) => one.code === code)).toEqual([]);
    });

    it('does not ask for a flattening that cannot help: the pieces lie between holes', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await fragmented(join(folder.path, 'holes.raw'), 1500);
      await pool.say('import', 'v', join(folder.path, 'holes.raw'), '--create');
      expect(await findings(pool)).toEqual([]);
    });

    it('separates a committed name from the working copy while that is used', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await volume(pool, 'v');
      await pool.say('start', 'v');
      const shared = pool.file('v.img.2@2026-11-20T00:00:00Z');
      await link(pool.file('v-dirty.img'), shared);
      await using writer = await open(pool.file('v-dirty.img'), 'r+');
      await paste(pool, await findings(pool));
      const before = await pool.digest('v.img.2@2026-11-20T00:00:00Z');
      await writer.write('guest', 0);
      await writer.sync();
      expect([await pool.digest('v.img.2@2026-11-20T00:00:00Z'), (await stat(pool.file('v-dirty.img'))).nlink]).toEqual(
        [before, 1],
      );
    });

    it('finds that there is little space, and says what can go', async () => {
      await using folder = await mounted(filesystem);
      const pool = new TestPool(folder.path);
      await succeed(['mkdir', pool.path]);
      const free = Number((await succeed(['df', '--output=avail', '-B1', pool.path])).split('\n')[1]);
      await pool.say('init', '--reserve', String(free - 64 * 2 ** 20));
      await pool.say('create', 'v', '--size', '128M', '--policy', 'min=none,count=all');
      await pool.say('start', 'v', '--reserve', '0');
      await pool.write('v-dirty.img', 0, randomBytes(96 * 2 ** 20));
      await pool.say('stop', 'v', '--no-prepare');
      await pool.say('start', 'v', '--reserve', '0');
      await succeed(['fallocate', '-p', '-o', '0', '-l', '128M', pool.file('v-dirty.img')]);
      await pool.say('stop', 'v', '--no-prepare');
      const found = await findings(pool);
      expect(found.map(({ code, path }) => [code, path])).toEqual([['low-space', pool.path]]);
      await paste(pool, found);
      expect(await findings(pool)).toEqual([]);
    });

    it('finds who shares a file with whom, and separates them before Qubes writes one in place', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await volume(pool, 'v');
      await link(pool.file('v.img'), pool.file('w.img'));
      await link(pool.file('v.img'), pool.file('w.img.4@2026-11-20T00:00:00Z'));
      expect(await findings(pool)).toEqual([]);
      const found = await findings(pool, '--for', 'qubes');
      expect(found.map(({ code, path }) => [code, path])).toEqual([['shared-head', pool.file('w.img')]]);
      expect(found[0]?.fix).toMatch(/cp --reflink=always .* && mv -T -- /);
      const before = await pool.digest('v.img');
      await paste(pool, found);
      expect(await findings(pool, '--for', 'qubes')).toEqual([]);
      await moved(pool, 'v.img', 'v-dirty.img');
      await succeed(['chmod', '600', pool.file('v-dirty.img')]);
      await pool.write('v-dirty.img', 0, 'in place');
      expect([await pool.digest('w.img'), (await stat(pool.file('w.img'))).nlink]).toEqual([before, 2]);
    });

    it('finds a second mount of the pool', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      const other = join(folder.path, 'other');
      await mkdir(other);
      await succeed(['mount', '--bind', pool.path, other]);
      const found = await findings(pool);
      expect(found.map(({ code, path }) => [code, path])).toEqual([['nested-mount', other]]);
      await paste(pool, found);
      expect(await findings(pool)).toEqual([]);
    });

    it('finds that users of images cannot be seen', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await volume(pool, 'v');
      await succeed(['chmod', 'a+x', dirname(folder.path), folder.path]);
      await succeed(['chown', '-R', '65534', pool.path]);
      const other = await run([
        'setpriv',
        '--reuid',
        '65534',
        '--clear-groups',
        'reflink-pool',
        'doctor',
        '--pool',
        pool.path,
        '-o',
        'json',
      ]);
      expect(other.stdout).toContain('"code":"not-in-use-check","path":"/proc"');
      await using _loop = await attach(pool.file('v.img'));
      const without = 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && reflink-pool doctor -o json';
      const blind = await run(['unshare', '-m', 'sh', '-c', without], { env: pool.env });
      const found = blind.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => finding.parse(JSON.parse(line)));
      expect([blind.code, new Set(found.map(({ code }) => code))]).toEqual([3, new Set(['not-in-use-check'])]);
      const fixed = [without.split(' && reflink')[0], ...found.map(({ fix }) => fix), 'reflink-pool doctor'].join(
        ' && ',
      );
      expect((await run(['unshare', '-m', 'sh', '-c', fixed], { env: pool.env })).code).toBe(0);
    });

    it('says only what is about the volumes it is asked about', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await volume(pool, 'v');
      await volume(pool, 'w');
      await foreign('w.img.old', 'notes')(pool);
      await succeed(['chmod', '600', pool.file('w.img')]);
      expect(await findings(pool, 'v')).toEqual([]);
      expect((await findings(pool, 'w')).map(({ code }) => code)).toEqual(['writable-head', 'foreign-file']);
      expect((await pool.try('doctor', 'x')).code).toBe(3);
    });
  });

needs(
  'root',
  'loop',
  'btrfs',
)('doctor on btrfs alone', () => {
  it('finds files that are overwritten in place among others, and the pool can clone again', async () => {
    await using folder = await mounted('btrfs');
    const pool = await TestPool.at(folder.path);
    await succeed(['mkdir', pool.file('d')]);
    await volume(pool, 'd/v');
    await succeed(['chattr', '+C', pool.file('d')]);
    expect((await pool.try('start', 'd/v')).code).not.toBe(0);
    const whole = await findings(pool);
    expect(whole.map(({ code, path }) => [code, path])).toEqual([['nocow-mix', pool.file('d')]]);
    await paste(pool, whole);
    await pool.say('start', 'd/v');
    await pool.say('stop', 'd/v', '--no-prepare');
    await succeed(['chattr', '+C', pool.file('d')]);
    await pool.say('create', 'd/w', '--size', '64K');
    const before = await pool.digest('d/v.img');
    const single = await findings(pool);
    expect(single.map(({ code }) => code)).toEqual(['nocow-mix', 'nocow-mix']);
    await paste(pool, single);
    expect([await findings(pool), await pool.digest('d/v.img')]).toEqual([[], before]);
    await pool.say('start', 'd/v');
  });
});

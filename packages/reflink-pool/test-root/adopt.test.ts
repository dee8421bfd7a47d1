import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { verification } from '../src/records/health.ts';
import { TestPool } from './pool.ts';

const size = 65_536;
const revision = 'appvms/work/private.img.41@2026-11-07T08:12:44Z';
const images = ['appvms/work/private.img', revision, 'vm-templates/fedora/root.img'];

/** Images of another driver, in a directory that is no pool. */
async function foreign(folder: string, ...further: string[]): Promise<TestPool> {
  const pool = new TestPool(folder);
  for (const name of [...images, ...further]) {
    await mkdir(pool.file(name.slice(0, name.lastIndexOf('/'))), { recursive: true });
    await writeFile(pool.file(name), randomBytes(size), { mode: 0o600 });
  }
  return pool;
}

const modes = async (pool: TestPool) =>
  Promise.all(images.map(async (name) => ((await stat(pool.file(name))).mode & 0o777).toString(8)));

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`adoption on ${filesystem}`, () => {
    const words = filesystem === 'ext4' ? ['adopt', '--allow-copy'] : ['adopt'];

    it('says in a table what is a volume now, and what is in the way of the rest', async () => {
      await using folder = await mounted(filesystem);
      const pool = await foreign(folder.path, 'appvms/old/root.img', 'appvms/old/root-cow.img');
      const { code, stdout } = await pool.try(...words);
      expect([code, stdout.split('\n')]).toEqual([
        7,
        [
          'appvms/work/private        adopted  saved     1 revision',
          'vm-templates/fedora/root   adopted  saved     0 revisions',
          'appvms/old/root            refused  appvms/old/root-cow.img: let the old driver commit it, or delete it',
          '',
        ],
      ]);
      expect(await modes(pool)).toEqual(['400', '400', '400']);
      await rm(pool.file('appvms/old/root-cow.img'));
      expect(await pool.say(...words)).toMatch(/^appvms\/old\/root +adopted .*\n.* already .*\n.* already .*\n$/);
    });

    it('does in a shell what its dry run prints', async () => {
      await using folder = await mounted(filesystem);
      const pool = await foreign(folder.path);
      const before = await tree(pool.path);
      const lines = await pool.say(...words, '-n');
      expect(await tree(pool.path)).toEqual(before);
      if (filesystem !== 'ext4') await succeed(['sh', '-e', '-c', lines]);
      else expect((await pool.try(...words)).code).toBe(0);
      expect([await modes(pool), await pool.say(...words)]).toEqual([
        ['400', '400', '400'],
        expect.stringMatching(/^.* already .*\n.* already .*\n$/),
      ]);
      expect(await pool.say('list', '--revisions', '-o', 'name')).toBe('appvms/work/private@41\n');
    });

    it('refuses a directory that cannot share extents, unless it may copy, and leaves it alone', async () => {
      await using folder = await mounted(filesystem);
      const pool = await foreign(folder.path);
      const { code, stderr } = await pool.try('adopt');
      if (filesystem !== 'ext4') return expect(code).toBe(0);
      expect([code, stderr, await modes(pool)]).toEqual([
        6,
        expect.stringContaining('--allow-copy'),
        ['600', '600', '600'],
      ]);
    });

    it('refuses files of another user in plain words, and what is mounted read-only', async () => {
      await using folder = await mounted(filesystem);
      const pool = await foreign(folder.path);
      await pool.say(...words, 'vm-templates');
      const bare = [
        'setpriv',
        '--reuid',
        '0',
        '--bounding-set',
        '-all',
        '--inh-caps',
        '-all',
        'reflink-pool',
        ...words,
        'appvms',
      ];
      await succeed(['chown', '65534', pool.file(revision)]);
      const refused = await run(bare, { env: pool.env });
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('belongs to another user')]);
      await succeed(['chown', '0', pool.file(revision)]);
      await succeed(['mount', '-o', 'remount,ro', folder.path]);
      expect((await pool.try(...words, 'appvms')).code).toBe(3);
    });

    it('is followed by a verification that names the image in which a byte was flipped', async () => {
      await using folder = await mounted(filesystem);
      const pool = await foreign(folder.path);
      await pool.say(...words);
      const tell = async (...more: string[]) =>
        (await pool.tell('verify', ...more)).map((one) => verification.parse(one));
      expect((await tell()).map(({ checked, ok }) => [checked, ok])).toEqual(Array(5).fill(['structure', true]));
      expect((await tell('--record')).filter(({ checked }) => checked === 'recorded').map(({ ref }) => ref)).toEqual([
        'appvms/work/private@head',
        'appvms/work/private@41',
        'vm-templates/fedora/root@head',
      ]);
      expect((await tell('--content')).filter(({ checked }) => checked === 'content')).toHaveLength(3);
      const { mtime } = await stat(pool.file(revision));
      const byte = ((await readFile(pool.file(revision))).at(5000) ?? 0) ^ 1;
      await pool.write(revision, 5000, Buffer.from([byte]));
      const written = await pool.try('verify', '--content', '-o', 'name');
      expect(written.code).toBe(5);
      await utimes(pool.file(revision), mtime, mtime);
      const before = await pool.tell('show', 'appvms/work/private@41');
      expect(before).toMatchObject([{ number: 41 }]);
      const flipped = await pool.try('verify', '--content', '-o', 'json');
      const wrong = flipped.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => verification.parse(JSON.parse(line)));
      expect([flipped.code, wrong.filter(({ ok }) => !ok).map(({ ref }) => ref)]).toEqual([
        5,
        ['appvms/work/private@41'],
      ]);
    });

    it('reads the bytes of a copy made ahead too: it is the next working copy', async () => {
      await using folder = await mounted(filesystem);
      const pool = await foreign(folder.path);
      await pool.say(...words);
      await pool.say('verify', '--record');
      await pool.say('start', 'appvms/work/private', '--prepare', '--reserve', '0');
      const ahead = 'appvms/work/private-precache.img';
      await pool.write(ahead, 0, 'other bytes');
      await succeed(['touch', '-r', pool.file('appvms/work/private.img'), '--', pool.file(ahead)]);
      expect((await pool.try('verify')).code).toBe(0);
      const { code, stdout } = await pool.try('verify', '--content');
      expect([code, stdout]).toEqual([
        5,
        expect.stringMatching(/^appvms\/work\/private {2}wrong {2}content\n.*-precache\.img has SHA-256/),
      ]);
    });
  });

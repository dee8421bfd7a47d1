import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { commit as commitRecord, imported as importRecord } from '../src/records/cycle.ts';
import { diskDiff } from '../src/records/diff.ts';
import { fragmented, TestPool } from './pool.ts';

const MiB = 2 ** 20;

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a pool on ${filesystem}`, () => {
    const poolOn = async (path: string) => TestPool.at(path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));

    it('has, after each verb, the files that the kind of volume says', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'a/v', '--size', '1M');
      expect(await pool.files()).toEqual(['a/v.img']);
      await pool.say('start', 'a/v');
      expect(await pool.files()).toEqual(['a/v-dirty.img', 'a/v.img']);
      await pool.say('stop', 'a/v');
      expect(await pool.files()).toEqual(['a/v-precache.img', 'a/v.img']);
      const [session] = await pool.tell('start', 'a/v');
      expect(session).toMatchObject({ outcome: 'started', method: 'prepared' });
      await pool.write('a/v-dirty.img', 4096, 'changed');
      const [commit] = await pool.tell('stop', 'a/v', '--no-prepare');
      expect(commitRecord.parse(commit)).toMatchObject({ outcome: 'committed', savedAs: 1 });
      expect(await pool.files()).toEqual(['a/v.img', 'a/v.img.1']);
      for (const kind of ['snapshot --source a/v', 'snapshot --source a/v --read-only', 'volatile --size 64K']) {
        await pool.say('create', 'x', '--kind', ...kind.split(' '));
        const [started] = await pool.tell('start', 'x');
        const own = (await pool.files()).filter((name) => name.startsWith('x'));
        expect([kind, own]).toEqual([
          kind,
          { s: ['x-dirty.img', 'x.img'], r: ['x.img'], v: ['x-dirty.img'] }[
            kind.includes('only') ? 'r' : kind.slice(0, 1)
          ],
        ]);
        expect((await stat(started?.path ?? '')).size).toBe(kind.startsWith('volatile') ? 65_536 : MiB);
        await pool.say('stop', 'x');
        await pool.say('remove', 'x', '--confirm=x');
        expect(await pool.files()).toEqual(['a/v.img', 'a/v.img.1']);
      }
    });

    it('keeps exactly the last states, byte by byte, through many cycles', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'v', '--size', '256K', '--policy', 'count=2');
      const states = [await pool.digest('v.img')];
      for (let cycle = 0; cycle < 4; cycle += 1) {
        await pool.say('start', 'v');
        await pool.write('v-dirty.img', cycle * 4096, randomBytes(5000));
        await pool.say('stop', 'v');
        states.push(await pool.digest('v.img'));
      }
      const revisions = await pool.tell('list', '--revisions');
      expect(revisions.map(({ ref }) => ref)).toEqual(['v@3', 'v@4']);
      const digests = await Promise.all(revisions.map(({ path }) => pool.digest(path.slice(pool.path.length + 1))));
      expect(digests).toEqual(states.slice(2, 4));
      const [undone] = await pool.tell('revert', 'v@3');
      expect([undone?.savedAs, await pool.digest('v.img')]).toEqual([5, states[2]]);
      await pool.say('revert', 'v@5');
      expect(await pool.digest('v.img')).toBe(states[4]);
    });

    it('refuses to stop what a loop, a writer or a lock holds, and leaves it alone', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'v', '--size', '1M');
      const [session] = await pool.tell('start', 'v');
      const path = session?.path ?? '';
      await pool.write('v-dirty.img', 0, 'guest');
      const before = await tree(pool.path);
      {
        await using loop = await attach(path);
        const refused = await pool.try('stop', 'v');
        expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining(`loop device ${loop.device}`)]);
      }
      const file = await open(path, 'r+');
      expect((await pool.try('stop', 'v')).stderr).toContain(`process ${process.pid}`);
      await file.close();
      const locked = ['flock', '--verbose', path, 'reflink-pool', 'stop', 'v'];
      expect((await run(locked, { env: pool.env })).code).toBe(4);
      expect(Object.keys(await tree(pool.path))).toEqual(Object.keys(before));
      expect((await tree(pool.path))['v-dirty.img']).toEqual(before['v-dirty.img']);
      expect((await pool.try('stop', 'v')).code).toBe(0);
    });

    it('does in a shell what its dry run prints', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'v', '--size', '64K');
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, 'guest');
      await pool.say('stop', 'v');
      const verbs = ['revert v', 'start v', 'create b/w --size 64K', 'remove b/w --confirm=b/w'].map((line) =>
        line.split(' '),
      );
      for (const words of verbs) {
        const before = await tree(pool.path);
        const lines = await pool.say(...words, '-n');
        expect(await tree(pool.path)).toEqual(before);
        await succeed(['sh', '-e', '-c', lines]);
      }
      expect(await pool.files()).toEqual(['v-dirty.img', 'v.img', 'v.img.1', 'v.img.2']);
      expect(await readFile(pool.file('v-dirty.img'), 'latin1')).not.toContain('guest');
      expect(await readFile(pool.file('v.img'), 'latin1')).not.toContain('guest');
    });

    it('imports a file, keeps holes, and sees the same file again', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      const raw = join(folder.path, 'disk.raw');
      await writeFile(raw, randomBytes(65_536));
      await succeed(['truncate', '-s', '8M', raw]);
      const sha256 = createHash('sha256')
        .update(await readFile(raw))
        .digest('hex');
      const words = ['import', 'v', raw, '--create', '--sha256', sha256, '--size', '8M'];
      const [imported] = await pool.tell(...words);
      expect(importRecord.parse(imported)).toMatchObject({
        outcome: 'imported',
        method: filesystem === 'ext4' ? 'copy' : 'reflink',
        sha256,
      });
      expect((await pool.tell(...words))[0]).toMatchObject({ outcome: 'unchanged', savedAs: null });
      expect((await stat(pool.file('v.img'))).blocks * 512).toBeLessThan(MiB);
      const streamed = run(['sh', '-c', `reflink-pool import w - --create < ${raw}`], { env: pool.env });
      expect((await streamed).code).toBe(0);
      expect([await pool.digest('w.img'), (await stat(pool.file('w.img'))).blocks * 512 < MiB]).toEqual([sha256, true]);
      await pool.say('remove', 'v', 'w', '--confirm=v', '--confirm=w');
      expect(await pool.files()).toEqual([]);
    });

    it('opens an import for others to write, and keeps everybody else out', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      const [session] = await pool.tell('import', 'v', '--begin', '--size', '64K', '--create');
      const token = String(session?.token);
      await pool.write('v-import.img', 0, 'written by another');
      for (const words of [
        ['start', 'v'],
        ['import', 'v', '--begin', '--size', '64K'],
      ])
        expect((await pool.try(...words)).code).toBe(4);
      await using writer = await open(pool.file('v-import.img'), 'r+');
      expect((await pool.try('import', 'v', '--commit', token)).code).toBe(4);
      await writer.close();
      expect((await pool.tell('import', 'v', '--commit', token))[0]).toMatchObject({ outcome: 'imported' });
      expect(await readFile(pool.file('v.img'), 'latin1')).toContain('written by another');
      expect((await pool.try('import', 'v', '--abort', token)).code).toBe(3);
      const [again] = await pool.tell('import', 'v', '--begin', '--size', '64K');
      expect((await pool.tell('import', 'v', '--abort', String(again?.token)))[0]).toMatchObject({
        outcome: 'aborted',
      });
      expect(await pool.files()).toEqual(['v.img']);
    });

    it('lets one of two processes in, and is free again when that one is killed', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'v', '--size', '64K');
      const lock = join(pool.path, '.platter/locks/v');
      const inside = await run(['flock', lock, 'reflink-pool', 'start', 'v'], { env: pool.env });
      expect([inside.code, inside.stderr]).toEqual([4, expect.stringContaining('is locked')]);
      const both = await Promise.all([pool.try('start', 'v'), pool.try('start', 'v')]);
      expect(both.map(({ code }) => code).sort()).toEqual(both.some(({ code }) => code === 4) ? [0, 4] : [0, 0]);
      expect(await pool.files()).toEqual(['v-dirty.img', 'v.img']);
    });

    it('works beside stray files, symlinks and directories that are named like images', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'v', '--size', '64K');
      await symlink('/etc/passwd', pool.file('v.img.7@2026-11-20T00:00:00Z'));
      await symlink('/etc', pool.file('out'));
      for (const name of [
        'v.img.foo@2026-11-20T00:00:00Z',
        'v.img.03@2026-11-20T00:00:00Z',
        'v.img@2026-11-20T00:00:00Z',
        'notes',
      ])
        await writeFile(pool.file(name), 'foreign');
      await succeed(['mkdir', pool.file('v-precache.img'), pool.file('dir.img')]);
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, 'x');
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ savedAs: 1 });
      await pool.say('start', 'v');
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'unchanged' });
      expect((await pool.tell('revert', 'v'))[0]).toMatchObject({ outcome: 'reverted' });
      expect((await pool.try('create', 'out/v', '--size', '64K')).code).toBe(3);
      expect((await pool.tell('list')).map(({ volume }) => volume)).toEqual(['v']);
      await rename(pool.file('v.img'), pool.file('v.gone'));
      await symlink(pool.file('v.gone'), pool.file('v.img'));
      expect((await pool.try('start', 'v')).code).toBe(3);
    });
  });

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs(
    'root',
    filesystem,
    'strace',
  )(`a commit on ${filesystem}`, () => {
    it('makes the next copy ahead of time where that is slow, after it has said what it did', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await fragmented(join(folder.path, 'many.raw'), 1200);
      await pool.say('import', 'v', join(folder.path, 'many.raw'), '--create');
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, 'guest');
      const traced = await strace(['reflink-pool', 'stop', 'v'], { env: pool.env, trace: 'ioctl,write,writev' });
      const said = traced.calls.findIndex((call) => /^writev?\(1\b/.test(call));
      const cloned = traced.calls.findIndex((call) => call.includes('FICLONE'));
      expect([said >= 0, cloned > said]).toEqual([true, true]);
      expect((await pool.tell('start', 'v'))[0]).toMatchObject({ method: 'prepared' });
    });

    it('is followed by a diff that names what was written', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await writeFile(join(folder.path, 'r.raw'), randomBytes(4 * MiB));
      await pool.say('import', 'v', join(folder.path, 'r.raw'), '--create');
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 3 * MiB + 100, 'guest');
      await pool.write('v-dirty.img', 512, 'guest');
      await pool.say('stop', 'v');
      const [diff] = await pool.tell('diff', 'v', '--align', '4096');
      const { mtimeMs, ino } = await stat(pool.file('v.img'));
      expect(diskDiff.parse(diff)).toMatchObject({
        from: { ref: 'v@1' },
        to: { ref: 'v@head', path: pool.file('v.img'), ino: String(ino), size: 4 * MiB },
        method: 'extents',
        ranges: [
          [0, 4096],
          [3 * MiB, 4096],
        ],
        zeros: [],
        complete: true,
      });
      expect(String(diskDiff.parse(diff).to.mtimeNs).slice(0, 13)).toBe(String(Math.floor(mtimeMs)));
      expect(await pool.say('diff', 'v@1', 'v', '--align', '4096', '-q')).toBe(`0 4096\n${3 * MiB} 4096\n`);
      await succeed(['fallocate', '-p', '-o', '0', '-l', '1M', pool.file('v.img')]);
      expect((await pool.tell('diff', 'v'))[0]).toMatchObject({ zeros: [[0, MiB]] });
    });

    it('gives a file that space was promised to as a copy, and a container not at all', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      const raw = join(folder.path, 'r.raw');
      await succeed(['fallocate', '-l', '1M', raw]);
      expect((await pool.tell('import', 'v', raw, '--create'))[0]).toMatchObject({ method: 'copy' });
      expect((await pool.tell('import', 'w', raw, '--create', '--share'))[0]).toMatchObject({ method: 'reflink' });
      await writeFile(raw, Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(1020)]));
      const refused = await pool.try('import', 'v', raw);
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('disk-tools')]);
      expect((await pool.tell('import', 'v', raw, '--format', 'raw'))[0]).toMatchObject({ outcome: 'imported' });
      await using elsewhere = await tempFolder();
      await succeed(['cp', raw, join(elsewhere.path, 'far.raw')]);
      const far = ['import', 'f', join(elsewhere.path, 'far.raw'), '--create', '--format', 'raw'];
      expect((await pool.tell(...far))[0]).toMatchObject({ outcome: 'imported', method: 'copy' });
      expect((await pool.try(...far, '--share')).code).toBe(6);
      await using _writer = await open(raw, 'r+');
      expect((await pool.try('import', 'w', raw, '--format', 'raw')).code).toBe(4);
      expect((await pool.tell('import', 'w', raw, '--format', 'raw', '--live'))[0]).toMatchObject({
        method: 'reflink',
      });
    });
  });

needs('root', 'xfs')('a pool on XFS without reflink', () => {
  it('is refused with what was probed', async () => {
    await using folder = await mounted('ext4');
    await succeed(['mkdir', join(folder.path, 'pool')]);
    const refused = await new TestPool(folder.path).try('init');
    expect([refused.code, refused.stderr]).toEqual([6, expect.stringMatching(/probed .*Operation not supported/)]);
    expect((await new TestPool(folder.path).try('list')).code).toBe(3);
  });
});

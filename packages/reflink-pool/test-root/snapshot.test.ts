import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { root, run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { set as setRecord } from '../src/records/look.ts';
import { snapshot as snapshotRecord } from '../src/records/snapshot.ts';
import { TestPool } from './pool.ts';

/** A hook of these shell lines, in which $1 is freeze or thaw; it writes down what it was asked for. */
async function hookIn(folder: string, lines = ''): Promise<string> {
  const path = join(folder, 'hook');
  await writeFile(path, `#!/bin/sh\necho "$@" >> ${folder}/asked\n${lines}\n`);
  await chmod(path, 0o755);
  return path;
}

const asked = (folder: string) => readFile(join(folder, 'asked'), 'utf8');

/** Sends the signal to the verb that runs the hook, which is the parent of the hook's timeout(1). */
const signalled = (name: string) => `[ $1 = thaw ] || kill -${name} $(awk '/^PPid/ { print $2 }' /proc/$PPID/status)`;

const temporaries = async (pool: TestPool) =>
  (await readdir(pool.path, { recursive: true })).filter((path) => path.includes('~'));

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a snapshot on ${filesystem}`, () => {
    const poolOn = async (path: string) => TestPool.at(path, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));

    it('of a stopped volume is a name for its head', async () => {
      await using folder = await mounted(filesystem);
      const pool = await poolOn(folder.path);
      await pool.say('create', 'v', '--size', '64K');
      const [made] = await pool.tell('snapshot', 'v', '--label', 'empty', '--pin', 'me', '--expires', '2d');
      expect(snapshotRecord.parse(made)).toMatchObject({
        number: 1,
        outcome: 'created',
        consistency: null,
        pauseMs: null,
      });
      const [shown] = await pool.tell('show', 'v@empty');
      expect((await stat(shown?.path ?? '')).ino).toBe((await stat(pool.file('v.img'))).ino);
      expect(shown).toMatchObject({ twin: true, side: false, pins: ['me'] });
      expect((await pool.tell('snapshot', 'v', '--label', 'empty'))[0]).toMatchObject({
        outcome: 'already',
        number: 1,
      });
    });

    if (filesystem === 'ext4')
      it('of a started volume is refused where nothing can be cloned, and a set of stopped ones is not', async () => {
        await using folder = await mounted(filesystem);
        const pool = await poolOn(folder.path);
        for (const name of ['v', 'w']) await pool.say('create', name, '--size', '64K');
        expect(await pool.say('snapshot', 'v', 'w', '--set', 's', '-o', 'name')).toBe('v@1\nw@1\n');
        await pool.say('start', 'v');
        const before = await tree(pool.path);
        expect((await pool.try('snapshot', 'v')).code).toBe(6);
        expect((await pool.try('snapshot', 'v', 'w', '--set', 't')).code).toBe(6);
        const after = await tree(pool.path);
        expect(Object.keys(after).filter((path) => !path.includes('locks'))).toEqual(
          Object.keys(before).filter((path) => !path.includes('locks')),
        );
      });
  });

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a live snapshot on ${filesystem}`, () => {
    it('holds what the working copy held; the head and a later discard are what they were', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never');
      await pool.say('create', 'v', '--size', '256K');
      await pool.say('start', 'v');
      const head = await stat(pool.file('v.img'));
      const states: string[] = [];
      for (const letter of ['x', 'y']) {
        await pool.write('v-dirty.img', 4096, letter.repeat(5000));
        states.push(await pool.digest('v-dirty.img'));
        const [taken] = await pool.tell('snapshot', 'v', '--label', letter, '--if-changed');
        expect(snapshotRecord.parse(taken)).toMatchObject({ outcome: 'created', consistency: 'crash', set: null });
        expect((await pool.tell('snapshot', 'v', '--if-changed'))[0]).toMatchObject({
          outcome: 'already',
          number: taken?.number,
        });
      }
      expect(await pool.files()).toEqual(['v-dirty.img', 'v.img', 'v.img.1', 'v.img.2', 'v.img.3']);
      const taken = await Promise.all(['x', 'y'].map(async (label) => (await pool.tell('show', `v@${label}`))[0]));
      expect(await Promise.all(taken.map((one) => pool.digest(one?.path.slice(pool.path.length + 1) ?? '')))).toEqual(
        states,
      );
      expect(taken).toMatchObject([
        { side: true, consistency: 'crash' },
        { side: true, number: 3 },
      ]);
      expect((await stat(taken[0]?.path ?? '')).mode & 0o777).toBe(0o400);
      expect((await stat(pool.file('v.img'))).ino).toBe(head.ino);
      expect((await pool.tell('show', 'v@1'))[0]).toMatchObject({ twin: true });
      const [diff] = await pool.tell('diff', 'v@x', 'v@y');
      expect(diff).toMatchObject({ complete: true, ranges: [[0, 65_536]] });
      await pool.say('stop', 'v', '--discard', '--confirm=v');
      expect((await stat(pool.file('v.img'))).ino).toBe(head.ino);
      expect((await pool.tell('revert', 'v@y'))[0]).toMatchObject({ outcome: 'reverted' });
      expect(await pool.digest('v.img')).toBe(states[1]);
    });

    it('does in a shell what its dry run prints', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never');
      for (const name of ['v', 'w', 'x']) await pool.say('create', name, '--size', '64K');
      for (const name of ['v', 'w']) await pool.say('start', name);
      await pool.write('v-dirty.img', 0, 'guest');
      const hook = await hookIn(folder.path);
      for (const line of ['snapshot x --label a', 'snapshot v --label a', `snapshot v w x --set s --hook ${hook}`]) {
        const before = await tree(pool.path);
        const lines = await pool.say(...line.split(' '), '-n');
        const after = await tree(pool.path);
        expect(Object.keys(after).filter((path) => !path.includes('locks'))).toEqual(
          Object.keys(before).filter((path) => !path.includes('locks')),
        );
        await succeed(['sh', '-e', '-c', lines]);
      }
      expect(await asked(folder.path)).toBe('freeze v w\nthaw v w\n');
      expect(await pool.files()).toEqual([
        ...['v-dirty.img', 'v.img', 'v.img.1', 'v.img.2', 'v.img.3'],
        ...['w-dirty.img', 'w.img', 'w.img.1', 'w.img.2', 'x.img', 'x.img.1', 'x.img.2'],
      ]);
      expect(await temporaries(pool)).toEqual([]);
      const [set] = await pool.tell('list', '--sets');
      expect(setRecord.parse(set)).toMatchObject({ consistency: 'frozen', metadata: { name: 's' } });
      expect((await pool.tell('show', 'v@a'))[0]).toMatchObject({ number: 2, side: true });
      expect(await readFile((await pool.tell('show', 'v@s'))[0]?.path ?? '', 'latin1')).toMatch(/^guest/);
    });

    it('of several volumes is one set: seen whole, reverted to whole, removed whole', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path, '--prepare', 'never');
      for (const name of ['db/data', 'db/log', 'db/root']) {
        await pool.say('create', name, '--size', '64K');
        await pool.say('start', name);
        await pool.write(`${name}-dirty.img`, 0, 'one');
      }
      await pool.say('create', 'other', '--size', '64K');
      expect((await pool.try('snapshot', 'db/', '--set', 's')).stderr).toContain('--allow-skew');
      const hook = await hookIn(folder.path);
      const made = await pool.tell('snapshot', 'db/', '--set', 's', '--hook', hook, '--max-pause', '30s');
      const [first, ...members] = made;
      expect(setRecord.parse(first)).toMatchObject({
        consistency: 'frozen',
        members: [{ number: 2 }, { number: 2 }, { number: 2 }],
      });
      expect(members.map((one) => snapshotRecord.parse(one).set)).toEqual(['s', 's', 's']);
      expect((await pool.try('snapshot', 'db/', '--set', 's', '--hook', hook)).code).toBe(3);
      for (const name of ['db/data', 'db/log', 'db/root']) {
        await pool.write(`${name}-dirty.img`, 0, 'two');
        await pool.say('stop', name);
      }
      await pool.say('revert', '--set', 's');
      for (const name of ['db/data', 'db/log', 'db/root'])
        expect(await readFile(pool.file(`${name}.img`), 'latin1')).toMatch(/^one/);
      await pool.say('remove', '--set', 's', '--confirm=s');
      expect((await pool.tell('list', '--revisions')).filter(({ set }) => set === 's')).toEqual([]);
    });

    it('under a hook that freezes what is mounted is clean; without one it says crash', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await pool.say('create', 'v', '--size', '64M');
      const [session] = await pool.tell('start', 'v');
      await succeed(['mkfs.ext4', '-q', session?.path ?? '']);
      await using inside = await tempFolder();
      await using loop = await attach(session?.path ?? '');
      const point = join(inside.path, 'mnt');
      await succeed(['mkdir', point]);
      await succeed(['mount', '--', loop.device, point]);
      await succeed(['sh', '-c', `cp -r ${root}/packages/reflink-pool/src ${point}/a`]);
      const hook = await hookIn(folder.path, `[ $1 = freeze ] && exec fsfreeze -f ${point}\nexec fsfreeze -u ${point}`);
      const [frozen] = await pool.tell('snapshot', 'v', '--label', 'frozen', '--hook', hook);
      expect(frozen).toMatchObject({ consistency: 'frozen', pauseMs: expect.any(Number) });
      await succeed(['sh', '-c', `cp -r ${point}/a ${point}/b && sync`]);
      const [crash] = await pool.tell('snapshot', 'v', '--label', 'crash');
      expect(crash).toMatchObject({ consistency: 'crash' });
      const [path, other] = await Promise.all(
        ['frozen', 'crash'].map(async (label) => (await pool.tell('show', `v@${label}`))[0]?.path ?? ''),
      );
      const checked = await run(['fsck.ext4', '-fn', path ?? '']);
      expect([checked.code, checked.stdout]).toEqual([0, expect.not.stringContaining('recovery')]);
      expect(await succeed(['dumpe2fs', '-h', path ?? ''])).not.toContain('needs_recovery');
      expect(await succeed(['dumpe2fs', '-h', other ?? ''])).toContain('needs_recovery');
      await succeed(['umount', '--', point]);
    });
  });

/** Writes every other block of a file, so that it has so many mappings. */
async function scatter(path: string, mappings: number): Promise<void> {
  const writes = Array.from({ length: mappings }, (_, index) => `pwrite -q ${index * 8192} 4096\n`);
  await succeed(['xfs_io', path], { stdin: `${writes.join('')}fsync\n` });
}

/** Makes the pool believe that its clones take this long: microseconds for each mapping. */
async function calibrate(pool: TestPool, usPerMapping: number): Promise<void> {
  const file = pool.file('.platter/pool.json');
  const calibration = { baseUs: 1, usPerMapping, fsType: 'xfs', kernel: '', at: '' };
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), calibration }));
}

needs(
  'root',
  'loop',
  'xfs',
)('the pause', () => {
  it('of 100,000 mappings is refused when predicted, and over in time when not; writers go on, nothing is left', async () => {
    await using folder = await mounted('xfs', 3 * 2 ** 30);
    const pool = await TestPool.at(folder.path);
    await pool.say('create', 'v', '--size', '800M');
    await pool.say('start', 'v');
    await scatter(pool.file('v-dirty.img'), 100_000);
    const [before, hook] = [await pool.files(), await hookIn(folder.path)];
    const refused = await pool.try('snapshot', 'v', '--max-pause', '500ms', '--hook', hook);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/predicted +4000 ms/)]);
    expect((await run(['test', '-e', join(folder.path, 'asked')])).code).toBe(1);
    await calibrate(pool, 0.001);
    const writes = [
      `of=${pool.file('v-dirty.img')}`,
      'if=/dev/zero',
      'bs=4k',
      'count=500',
      'conv=notrunc',
      'oflag=dsync',
    ];
    const writer = run(['dd', ...writes]);
    const killed = await pool.try('snapshot', 'v', '--max-pause', '60ms', '--hook', hook);
    expect([killed.code, killed.stderr]).toEqual([4, expect.stringContaining('not cloned within --max-pause')]);
    expect(await asked(folder.path)).toBe('freeze v\nthaw v\n');
    expect((await writer).code).toBe(0);
    expect([await pool.files(), await temporaries(pool)]).toEqual([before, []]);
  });

  it.each(['TERM', 'INT', 'HUP'])('ends with a thaw when SIG%s comes while the hook freezes', async (name) => {
    await using folder = await mounted('xfs');
    const pool = await TestPool.at(folder.path);
    await pool.say('create', 'v', '--size', '64K');
    await pool.say('start', 'v');
    const hook = await hookIn(folder.path, signalled(name));
    const ended = await pool.try('snapshot', 'v', '--set', 's', '--hook', hook);
    expect(ended.signal).toBe(`SIG${name}`);
    expect(await asked(folder.path)).toBe('freeze v\nthaw v\n');
    expect([await pool.files(), await temporaries(pool)]).toEqual([['v-dirty.img', 'v.img'], []]);
    expect(await pool.say('list', '--sets')).toBe('');
  });

  it.each(['TERM', 'INT'])('ends with a thaw when SIG%s comes during the clone', async (name) => {
    await using folder = await mounted('xfs');
    const pool = await TestPool.at(folder.path);
    await pool.say('create', 'v', '--size', '64K');
    await pool.say('start', 'v');
    const cp = (await succeed(['sh', '-c', 'command -v cp'])).trim();
    await writeFile(join(folder.path, 'cp'), `#!/bin/sh\n${cp} "$@"; kill -${name} $PPID; exec tail -f /dev/null\n`);
    await chmod(join(folder.path, 'cp'), 0o755);
    const hook = await hookIn(folder.path);
    const env = { ...pool.env, PATH: `${folder.path}:${root}/bin:${process.env.PATH}` };
    const ended = await run(['reflink-pool', 'snapshot', 'v', '--hook', hook], { env });
    expect(ended.signal).toBe(`SIG${name}`);
    expect(await asked(folder.path)).toBe('freeze v\nthaw v\n');
    expect([await pool.files(), await temporaries(pool)]).toEqual([['v-dirty.img', 'v.img'], []]);
  });
});

needs(
  'root',
  'loop',
  'xfs',
)('a hook', () => {
  it('that fails to freeze changes nothing; one that fails to thaw twice does no harm; one that never does is told of', async () => {
    await using folder = await mounted('xfs');
    const pool = await TestPool.at(folder.path);
    await pool.say('create', 'v', '--size', '64K');
    await pool.say('start', 'v');
    const before = await pool.files();
    const snapshot = async (lines: string) => pool.try('snapshot', 'v', '--hook', await hookIn(folder.path, lines));
    const refused = await snapshot('[ $1 = thaw ] || { echo no agent >&2; exit 1; }');
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('said  no agent')]);
    expect(await pool.files()).toEqual(before);
    const never = await snapshot('[ $1 = freeze ]');
    expect([never.code, never.stderr]).toEqual([1, expect.stringContaining('v may still be frozen')]);
    expect(await pool.files()).toEqual(before);
    await writeFile(join(folder.path, 'asked'), '');
    const third = await snapshot(`[ $1 = freeze ] || [ $(grep -c thaw ${folder.path}/asked) = 3 ]`);
    expect([third.code, third.stderr.match(/warning: thawing v failed/g)?.length]).toEqual([0, 2]);
  });
});

import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { type Outcome, run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { TestPool } from './pool.ts';

const user = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', '--'];
const bare = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', '--ambient-caps', '-all', '--'];

needs(
  'root',
  'loop',
  'xfs',
)('a pool', () => {
  /** A folder that everybody may enter, owned by a user. */
  async function home(path: string, uid: number): Promise<TestPool> {
    for (const dir of [join(path, '..'), path]) await chmod(dir, 0o755);
    const pool = new TestPool(path);
    await succeed(['mkdir', pool.path]);
    await chown(pool.path, uid, uid);
    return pool;
  }

  const as = (pool: TestPool, who: readonly string[], line: string): Promise<Outcome> =>
    run([...who, 'reflink-pool', ...line.split(' ')], { env: pool.env, cwd: pool.path });

  it.each([
    ['a user who is not root', 1000, user],
    ['root without any capability', 0, bare],
  ] as const)('of %s works', async (_, uid, who) => {
    await using folder = await mounted('xfs');
    const pool = await home(folder.path, uid);
    const all = async (...lines: string[]) => {
      for (const line of lines) expect({ line, ...(await as(pool, who, line)) }).toMatchObject({ line, code: 0 });
    };
    await all('init --reserve 0', 'create a/v --size 1M', 'start a/v');
    await pool.write('a/v-dirty.img', 0, 'guest');
    await all('stop a/v', 'list', 'show a/v', 'start a/v --prepare', 'start a/v');
    await pool.write('a/v-dirty.img', 0, 'other');
    await all('stop a/v --discard --label kept', 'revert a/v@kept', 'diff a/v@kept a/v@1');
    await all('create s --kind snapshot --source a/v', 'start s', 'stop s', 'import w a/v.img --create');
    await all(
      'import w --begin --size 64K',
      'remove w --confirm=w',
      'remove s --confirm=s',
      'remove a/v --confirm=a/v',
    );
    expect(await pool.files()).toEqual([]);
    const owners = await succeed(['find', pool.path, '!', '-uid', String(uid)]);
    expect(owners).toBe('');
  });

  it('of another user is refused with whose it is, and nothing is changed', async () => {
    await using folder = await mounted('xfs');
    const pool = await home(folder.path, 0);
    await pool.say('init', '--reserve', '0');
    const said = await as(pool, user, 'list');
    expect([said.code, said.stderr]).toEqual([3, expect.stringMatching(/belongs to user 0\n.*run as that user/s)]);
  });

  it('with an image that somebody took over is refused with whose it is', async () => {
    await using folder = await mounted('xfs');
    const pool = await home(folder.path, 0);
    for (const line of ['init --reserve 0', 'create v --size 1M', 'start v']) await pool.say(...line.split(' '));
    await pool.write('v-dirty.img', 0, 'guest');
    await chown(pool.file('v-dirty.img'), 1000, 1000);
    const before = await tree(pool.path);
    const said = await as(pool, bare, 'stop v');
    expect([said.code, said.stderr]).toEqual([
      3,
      expect.stringMatching(/v-dirty.img: it belongs to user 1000\n.*CAP_FOWNER/s),
    ]);
    const { '.platter/locks/v': _, ...after } = await tree(pool.path);
    const { '.platter/locks/v': __, ...known } = before;
    expect(after).toEqual(known);
    expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'committed' });
  });
});

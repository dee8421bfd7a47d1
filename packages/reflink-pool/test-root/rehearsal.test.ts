import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { TestPool } from './pool.ts';

/** A verb, after what lies there before; every line is words of ours unless it begins with a `$`, which is the shell's. */
interface Form {
  verb: string;
  before?: string[];
  stdin?: string;
}

const made = 'create v --size 64K';
const write = (text: string) => `$ printf ${text} | dd of=v-dirty.img conv=notrunc,fsync status=none`;
const committed = [made, 'start v', write('one'), 'stop v --no-prepare'];
const started = [...committed, 'start v', write('two')];
const outlived = '$ sed -i s/bootId\\":\\"./bootId\\":\\"x/ .platter/sessions/v.json';
const source = '$ yes raw | head -c 65536 > ../raw';

const forms: Form[] = [
  { verb: 'create v --size 64K' },
  { verb: 'create a/b/v --size 64K --policy count=3 --read-only' },
  { verb: 'create s --kind snapshot --source v', before: [made] },
  { verb: 'create s --kind volatile --size 64K' },
  { verb: 'start v', before: [made] },
  { verb: 'start v', before: [made, 'start v --prepare'] },
  { verb: 'start v', before: [...committed, 'start v --prepare', 'revert v'] },
  { verb: 'start v --prepare', before: [made] },
  { verb: 'start v', before: [...started, outlived] },
  { verb: 'start v --on-dirty commit', before: [...started, outlived] },
  { verb: 'start v --on-dirty discard --confirm=v', before: [...started, outlived] },
  { verb: 'start s', before: [made, 'create s --kind snapshot --source v'] },
  {
    verb: 'start s',
    before: [made, 'create a/s --kind snapshot --source v --read-only', 'create s --kind snapshot --source v'],
  },
  { verb: 'start a/s', before: [made, 'create a/s --kind snapshot --source v --read-only'] },
  { verb: 'start s', before: ['create s --kind volatile --size 64K'] },
  { verb: 'stop v', before: started },
  { verb: 'stop v', before: [made, 'start v'] },
  { verb: 'stop v --always', before: [made, 'start v'] },
  { verb: 'stop v', before: ['create v --size 64K --policy min=none', 'start v', write('one')] },
  { verb: 'stop v', before: [...started, outlived] },
  { verb: 'stop v --discard --confirm=v', before: started },
  { verb: 'stop v --discard --label broken', before: started },
  { verb: 'stop s', before: ['create s --kind volatile --size 64K', 'start s', '$ truncate -s 128K s-dirty.img'] },
  { verb: 'stop s', before: [made, 'create s --kind snapshot --source v', 'start s'] },
  { verb: 'revert v', before: committed },
  { verb: 'revert v@2', before: [...started, 'stop v', 'start v --prepare'] },
  { verb: 'revert v@1 --discard --confirm=v', before: started },
  { verb: 'revert v', before: [...committed, '$ rm -f v.img'] },
  { verb: 'import v ../raw --create', before: [source] },
  { verb: 'import v ../raw', before: [...committed, source] },
  { verb: 'import v ../raw', before: [source, 'import v ../raw --create'] },
  { verb: 'import v ../raw --copy', before: [...started, 'stop v', source] },
  { verb: 'import v - --create', stdin: 'x'.repeat(512) + '\0'.repeat(200_704) },
  { verb: 'import v -', before: committed, stdin: 'y'.repeat(65_536) },
  { verb: 'import v --abort TOKEN', before: [made, 'import v --begin --size 64K'] },
  { verb: 'import v --commit TOKEN', before: [...committed, 'import v --begin --size 64K'] },
  { verb: 'import v --begin --size 64K --create' },
  { verb: 'remove v --confirm=v', before: started },
  { verb: 'remove a/b/v --confirm=a/b/v', before: ['create a/b/v --size 64K', 'create a/w --size 64K'] },
  { verb: 'remove v@1 --confirm=v@1', before: committed },
];

/** Two pools that went through the same verbs, side by side on one filesystem. */
async function pair(folder: string, { before = [] }: Form, allowCopy: boolean): Promise<[TestPool, TestPool]> {
  const one = async (name: string) => {
    await succeed(['mkdir', join(folder, name)]);
    const pool = await TestPool.at(join(folder, name), ...(allowCopy ? ['--allow-copy'] : []));
    for (const line of before) await step(pool, line);
    return pool;
  };
  return Promise.all([one('by-verb'), one('by-shell')]);
}

async function step(pool: TestPool, line: string): Promise<void> {
  if (line.startsWith('$ ')) await succeed(['sh', '-e', '-c', line.slice(2)], { cwd: pool.path });
  else await succeed(['reflink-pool', ...line.split(' ')], { cwd: pool.path, env: pool.env });
}

async function words(pool: TestPool, verb: string): Promise<string[]> {
  if (!verb.includes('TOKEN')) return verb.split(' ');
  const [volume] = await pool.tell('list');
  return verb.split(' ').map((word) => (word === 'TOKEN' ? String(volume?.importing) : word));
}

const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

/** What is so in a pool, in words that do not depend on when and in which of two pools it came to be. */
async function facts(pool: TestPool): Promise<object> {
  const entries = Object.entries(await tree(pool.path)).filter(
    ([path]) => !/^\.platter\/(locks|pool|scratch)/.test(path),
  );
  const inodes = [...new Set(entries.map(([, { ino }]) => ino))];
  const plain = (path: string) => path.replace(/@[^/]*Z$/, '');
  const told = entries.map(async ([path, { kind, mode, size, ino, content }]) => {
    if (path.endsWith('.json')) return [path, await sidecar(pool, path)] as const;
    if (kind === 'folder') return [path, mode] as const;
    const name = inodes.indexOf(ino);
    return [
      plain(path),
      { mode, size, content, same: plain(entries.find(([, other]) => other.ino === inodes[name])?.[0] ?? '') },
    ] as const;
  });
  return Object.fromEntries(await Promise.all(told));
}

/** A sidecar without what is drawn or read from a clock; inodes by whether they are those of the working copy. */
async function sidecar(pool: TestPool, path: string): Promise<object> {
  const value = await json(pool.file(path));
  const work = (
    await lstat(pool.file('v-dirty.img'))
      .catch(() => lstat(pool.file('s-dirty.img')))
      .catch(() => null)
  )?.ino;
  const { uuid: _, startedAt: __, bootId, ino, ...rest } = value;
  const revisions = Object.entries(rest.revisions ?? {}).map(([n, facts]) => [
    n,
    { ...(facts as object), mtimeNs: '' },
  ]);
  const images = (rest.images ?? []).map((one: object) => ({ ...one, ino: '', mtimeNs: '', birthNs: '' }));
  const session = ino === undefined ? {} : { bootId, own: ino === String(work) };
  const open = rest.import ? { ...rest.import, token: '', startedAt: '' } : null;
  return { ...rest, ...session, revisions: Object.fromEntries(revisions), images, import: open };
}

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
  )(`a dry run on ${filesystem}`, () => {
    it('changes nothing, and its lines in a shell do what the verb does', async () => {
      await using folder = await mounted(filesystem);
      for (const [index, form] of forms.entries()) {
        const base = join(folder.path, String(index));
        await succeed(['mkdir', base]);
        const [verbal, shell] = await pair(base, form, filesystem === 'ext4');
        const io = form.stdin === undefined ? {} : { stdin: form.stdin };
        const before = await tree(shell.path);
        const plan = ['reflink-pool', ...(await words(shell, form.verb)), '-n'];
        const printed = await succeed(plan, { cwd: shell.path, env: shell.env, ...io });
        expect.soft([form, await tree(shell.path)]).toEqual([form, before]);
        const script = await run(['sh', '-e', '-c', printed], { cwd: shell.path, ...io });
        expect.soft({ form, printed, ...script }).toMatchObject({ code: 0 });
        await succeed(['reflink-pool', ...(await words(verbal, form.verb))], {
          cwd: verbal.path,
          env: verbal.env,
          ...io,
        });
        expect.soft([form, printed, await facts(shell)]).toEqual([form, printed, await facts(verbal)]);
        await succeed(['rm', '-rf', base]);
      }
    }, 600_000);
  });

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, mkdir, readdir, readFile, stat, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { environment, executable, run, succeed } from '../../../e2e/ground/run.ts';
import { type Said, say } from '../test/said.ts';
import { bytesOf, Ground, textOf } from './law/ground.ts';
import { Turns } from './law/turns.ts';
import { TestPool } from './pool.ts';

/** Waits until a folder holds a name like this. */
async function appears(folder: string, name: RegExp): Promise<void> {
  const events = watch(folder, { signal: AbortSignal.timeout(60_000) });
  if ((await readdir(folder)).some((one) => name.test(one))) return;
  for await (const _ of events) if ((await readdir(folder)).some((one) => name.test(one))) return;
}

const started = (words: string[], env: Record<string, string>) =>
  spawn(executable('reflink-pool'), words, { env: environment(env), stdio: ['pipe', 'ignore', 'pipe'] });

/** A cp that says when it begins and when it is told to end, and ends when `go` is written. */
const slow = (folder: string) => `#!/bin/sh
trap 'echo told > ${folder}/told' TERM
echo began > ${folder}/began
cat ${folder}/go > /dev/null &
wait $!
wait $!
exec /bin/cp "$@"
`;

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs('root', filesystem)(`processes on one pool on ${filesystem}`, () => {
    it('one has the volume, the others are told who; killed it blocks nobody; other volumes do not wait', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      for (const name of ['v', 'w']) await pool.say('create', name, '--size', '64K');
      const holder = started(['import', 'v', '-'], pool.env);
      holder.stdin?.write(Buffer.alloc(2 ** 21, 'x'));
      await appears(pool.path, /^v-import\.img~/);
      for (const words of [
        ['import', 'v', '-'],
        ['start', 'v'],
        ['revert', 'v@1'],
        ['remove', 'v', '--confirm=v'],
      ]) {
        const { code, stderr } = await pool.try(...words);
        expect([words, code, stderr]).toEqual([
          words,
          4,
          expect.stringContaining(`reflink-pool import, pid ${holder.pid} on `),
        ]);
      }
      expect((await pool.try('start', 'w')).code).toBe(0);
      expect((await pool.tell('list')).map(({ state }) => state)).toEqual(['stopped', 'running']);
      const waiting = pool.tell('start', 'v', '--wait', '1m');
      holder.kill('SIGKILL');
      expect(await waiting).toMatchObject([{ outcome: 'started' }]);
      expect(await pool.files()).toEqual(['v-dirty.img', 'v.img', 'w-dirty.img', 'w.img']);
    });

    it('of two that do the same at once one does it', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await pool.say('create', 'v', '--size', '64K');
      for (const words of [
        ['start', 'v'],
        ['stop', 'v', '--always'],
        ['revert', 'v@1'],
        ['create', 'w', '--size', '64K'],
      ]) {
        const both = await Promise.all([pool.try(...words), pool.try(...words)]);
        const codes = both.map(({ code }) => code).sort();
        const second = words[0] === 'create' ? 3 : 0;
        expect([words, codes]).toEqual([
          words,
          expect.toBeOneOf([
            [0, 4],
            [0, second],
          ]),
        ]);
      }
      expect(await pool.files()).toEqual(['v.img', 'v.img.1', 'v.img.2', 'w.img']);
    });

    it('that is interrupted while it clones keeps the volume until the clone has ended', async () => {
      await using folder = await mounted(filesystem);
      const pool = await TestPool.at(folder.path);
      await pool.say('create', 'v', '--size', '64K');
      await writeFile(join(folder.path, 'cp'), slow(folder.path), { mode: 0o755 });
      const [began, told, go] = ['began', 'told', 'go'].map((name) => join(folder.path, name)) as [
        string,
        string,
        string,
      ];
      await succeed(['mkfifo', began, told, go]);
      const child = started(['start', 'v'], { ...pool.env, PATH: `${folder.path}:${process.env.PATH}` });
      const ended = once(child, 'exit');
      expect(await readFile(began, 'utf8')).toBe('began\n');
      child.kill('SIGINT');
      expect(await readFile(told, 'utf8')).toBe('told\n');
      const lock = ['flock', '-n', '-E', '75', join(pool.path, '.platter/locks/v'), 'true'];
      expect((await run(lock)).code).toBe(75);
      await writeFile(go, '');
      expect(await ended).toEqual([null, 'SIGINT']);
      expect((await run(lock)).code).toBe(0);
      expect(await pool.files()).toEqual(['v.img']);
      expect((await pool.try('start', 'v')).code).toBe(0);
    });
  });

const images = { 'v.img.1': 'aaaa', 'v.img.2': 'bbbb', 'v.img.3': 'cccc', 'v.img': 'dddd' };
const written = 'eeee';

/** What happens to the volume, who begins as it is, and who reads it. */
const parties = fc.tuple(
  fc.constantFrom(
    'prune v --policy min=none',
    'prune v',
    'stop v',
    'revert v@2 --discard --confirm=v',
    'remove v@1 --confirm=v@1',
    'stop v --discard --label aside',
  ),
  fc.constantFrom('start s', 'start r', 'clone v c', 'clone v@1 c', 'clone v@3 c'),
  fc.constantFrom(
    'export v',
    'export v@1',
    'export v@3',
    'diff v@1 v',
    'diff v',
    'list --revisions',
    'list',
    'show v',
    'show v@1',
    'usage v',
  ),
);
const choices = fc.array(fc.nat(5), { minLength: 80, maxLength: 80 });

/** A pool whose volume `v` has three former states, and is started; its images have further names beside the pool. */
class Scene {
  readonly ground: Ground;
  #sidecars: Record<string, Buffer> = {};
  constructor(ground: Ground) {
    this.ground = ground;
  }

  static async at(folder: string): Promise<Scene> {
    const ground = await Ground.at(folder);
    const scene = new Scene(ground);
    await mkdir(join(folder, 'kept'));
    for (const line of [
      'create v --size 16K',
      'create s --kind snapshot --source v',
      'create r --kind snapshot --source v --read-only',
    ])
      expect((await ground.say(line))?.code).toBe(0);
    for (const name of ['v', 's', 'r'])
      scene.#sidecars[name] = await readFile(ground.file(`.platter/volumes/${name}.json`));
    for (const [name, text] of Object.entries(images)) {
      await writeFile(scene.kept(name), bytesOf(text));
      await chmod(scene.kept(name), 0o400);
    }
    return scene;
  }

  kept = (name: string) => join(this.ground.path, '../kept', name);

  async reset(): Promise<void> {
    const { ground } = this;
    await ground.clear();
    for (const [name, bytes] of Object.entries(this.#sidecars))
      await writeFile(ground.file(`.platter/volumes/${name}.json`), bytes);
    for (const name of Object.keys(images)) {
      const time = (await stat(this.kept(name))).mtime.toISOString().slice(0, 19);
      await link(this.kept(name), ground.file(name === 'v.img' ? name : `${name}@${time}Z`));
    }
    await writeFile(ground.file('v-dirty.img'), bytesOf(written));
  }

  text = async (name: string) => textOf(await readFile(this.ground.file(name)));
}

/** However their looks and changes mix, each verb says what it did or why not, and whatever was promised is there. */
async function mixed(scene: Scene, lines: readonly string[], picks: readonly number[]): Promise<void> {
  await scene.reset();
  let at = 0;
  const turns = new Turns((n) => (picks[at++ % picks.length] ?? 0) % n);
  const around = { now: () => Date.now(), pool: scene.ground.path, pid: process.pid };
  const said: Said[] = await turns.all(
    scene.ground,
    lines.map((line) => (host) => say(host, line, around)),
  );
  for (const [index, { code, failure }] of said.entries())
    expect([lines[index], failure?.message ?? '', code]).toEqual([
      lines[index],
      expect.not.stringMatching(/ENOENT|EEXIST/),
      expect.toBeOneOf([0, 3, 4, 7]),
    ]);
  for (const [name, text] of Object.entries(images))
    expect([name, textOf(await readFile(scene.kept(name)))]).toEqual([name, text]);
  const head = await scene.text('v.img');
  expect(head).toBeOneOf([
    'dddd',
    said[0]?.code === 0 && lines[0]?.startsWith('stop v') ? written : 'dddd',
    said[0]?.code === 0 && lines[0]?.startsWith('revert') ? 'bbbb' : 'dddd',
  ]);
  await promised(scene, lines, said);
}

async function promised(scene: Scene, lines: readonly string[], [, begun, read]: readonly Said[]): Promise<void> {
  const heads = ['dddd', written, 'bbbb'];
  const [, second = '', third = ''] = lines;
  const [own] = ['s', 'r', 'c'].filter((name) => second.endsWith(` ${name}`));
  const known = /v@(\d)/.exec(second)?.[1];
  if (begun?.code === 0)
    expect(await scene.text(`${own}.img`)).toBeOneOf(
      known === undefined ? heads : [images[`v.img.${known}` as 'v.img']],
    );
  if (begun?.code === 0 && own === 's') expect(await scene.text('s-dirty.img')).toBe(await scene.text('s.img'));
  const number = /v@(\d)/.exec(third)?.[1];
  const path = read?.records[0]?.path;
  if (read?.code === 0 && third.startsWith('export'))
    expect(textOf(await readFile(String(path)))).toBeOneOf(
      number === undefined ? heads : [images[`v.img.${number}` as 'v.img']],
    );
}

for (const filesystem of ['xfs', 'btrfs'] as const)
  needs('root', filesystem)(`verbs that mix on ${filesystem}`, () => {
    it('lose no image and tell of no file that is gone', async () => {
      await using folder = await mounted(filesystem);
      const scene = await Scene.at(folder.path);
      const law = fc.asyncProperty(parties, choices, (lines, picks) => mixed(scene, lines, picks));
      await fc.assert(law, effort(1000));
    }, 1_800_000);
  });

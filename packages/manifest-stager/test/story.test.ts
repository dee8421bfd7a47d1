import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { run, succeed } from '../../../e2e/ground/run.ts';

vi.setConfig({ testTimeout: 60_000 });

const tool = [process.execPath, join(import.meta.dirname, '../dist/cli.mjs')];
const map = (name: string, value: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ns}\ndata: {v: ${value}}\n`;

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'platter-stager-'));
  await mkdir(join(root, 'image'));
  await writeFile(join(root, 'v1.yaml'), map('a', 'one'));
  await writeFile(join(root, 'v2.yaml'), map('a', 'two'));
});
afterEach(() => rm(root, { recursive: true }));

const say = (line: string, stdin = '') => run([...tool, ...line.split(' '), '--root', 'image'], { cwd: root, stdin });
const staging = () => join(root, 'image/var/lib/y-cluster/manifests-staging');

it('add, add, replace, rm as y-cluster users script it', async () => {
  const told: [number | null, string][] = [];
  const name = 'migrate-v0.5.0-userdb';
  for (const line of [
    `add ${name} v1.yaml`,
    `add ${name} v1.yaml`,
    `add ${name} v2.yaml`,
    `replace ${name} v2.yaml`,
    `rm ${name}`,
    `rm ${name}`,
  ]) {
    const { code, stdout } = await say(line);
    told.push([code, stdout.split(/\s+/)[1] ?? '']);
  }
  expect(told).toEqual([
    [0, 'added'],
    [0, 'unchanged'],
    [3, ''],
    [0, 'replaced'],
    [0, 'removed'],
    [3, ''],
  ]);
  await rmdir(staging());
});

it('what is added by a pipe is shown byte by byte', async () => {
  const text = `# kept\r\n${map('a', '"ü"')}`;
  expect((await say('add x -', text)).code).toBe(0);
  expect(await readFile(join(staging(), 'x.yaml'), 'utf8')).toBe(text);
  expect((await say('show x')).stdout).toBe(text);
});

it('y-cluster hands the folder off: everything moves, and the idle folder can be removed', async () => {
  await say('add x v1.yaml');
  await say('list');
  const installed = join(root, 'installed');
  await mkdir(installed);
  await succeed(['sh', '-c', 'mv "$1"/* "$2"/ && rmdir "$1"', '-', staging(), installed]);
  expect(await readdir(installed)).toEqual(['x.yaml']);
  expect((await say('add x v1.yaml')).code).toBe(0);
});

it('fifty adds at once: one adds, the others find it there', async () => {
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => say('add x v1.yaml')));
  const words = outcomes.map(({ code, stdout, stderr }) => `${code} ${stdout.split(/\s+/)[1]}${stderr}`);
  expect(words.sort()).toEqual(['0 added', ...Array.from({ length: 49 }, () => '0 unchanged')]);
  expect(await readdir(staging())).toEqual(['x.yaml']);
});

it('the same name at once in both modes ends in one of them', async () => {
  const job = 'apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: ns}\nspec: {template: {spec: {}}}\n';
  for (let round = 0; round < 3; round += 1) {
    const lines = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? 'add j -' : 'add j - --first-boot'));
    const codes = (await Promise.all(lines.map((line) => say(line, job)))).map(({ code }) => code);
    expect(codes.sort()).toEqual([0, 0, 0, 0, 3, 3, 3, 3]);
    expect((await say('list -o name')).stdout).toBe('j\n');
    await rm(join(root, 'image/var'), { recursive: true });
  }
});

it('a locked folder is busy, and the message names who holds it', async () => {
  await say('add x v1.yaml');
  const { code, stderr } = await run(['flock', '-x', staging(), ...tool, 'rm', 'x', '--root', 'image'], { cwd: root });
  expect(code).toBe(4);
  expect(stderr).toMatch(/is locked\n {2}by {3}pid \d+: flock -x/);
  expect((await say('show x')).code).toBe(0);
});

it('a dry run prints what a shell could do, and doing that comes to the same', async () => {
  const { stdout } = await say('add x v1.yaml -n');
  expect(await readdir(join(root, 'image'))).toEqual([]);
  await succeed(['sh', '-e', '-c', stdout], { cwd: root });
  expect((await say('show x')).stdout).toBe(map('a', 'one'));
  expect((await say('add x v1.yaml')).stdout).toContain('unchanged');
  expect(await readdir(staging())).toEqual(['x.yaml']);
});

it('an empty root is refused: it would be the current directory', async () => {
  const { code, stderr } = await run([...tool, 'list', '--root', ''], { cwd: root });
  expect([code, stderr]).toEqual([2, 'manifest-stager: --root: the root is empty\n']);
});

import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { needs } from '../../../e2e/ground/needs.ts';
import { executable } from '../../../e2e/ground/run.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { done } from '../test/tool.ts';
import { Bench } from './repository.ts';

const bench = new Bench();
const out = join(bench.folder, 'out');
const address = 'default/db/data@latest';
const root = bench.good;
const data = join(root, 'vms/default/db/disks/data/data');
const files = () =>
  readdirSync(data)
    .filter((name) => name.endsWith('.qcow2'))
    .sort();
const loose = () => files().map((name) => join(data, name));

beforeAll(async () => {
  await bench.make();
  mkdirSync(out);
  await done(['restore', address, '--repo', root, '--file', '--to', join(out, 'verified.img')]);
});
afterAll(() => bench.dispose());

/** Names in a repository that a verb which only reads backups may write. */
const advisory = /\/(receipts(\/[^/]*)?|checked\.json|\.tmp-checked[^/]*)$/;
/** The files a call names, and the one that it opened, which `/proc/self/fd/3` does not name. */
const paths = (call: string): string[] =>
  [...call.matchAll(/"([^"]*)"|= \d+<([^>]*)>$/g)].map(([, said, opened]) => said ?? opened ?? '');
const inside = (call: string): boolean => paths(call).some((path) => path.startsWith(`${root}/`));
const harmless = (call: string): boolean => paths(call).every((path) => !path.startsWith(root) || advisory.test(path));
const writes = /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/;

/** What only a reader of backups must not have done: opened to write, or changed a name, a size or a mode. */
const wrongs = (calls: readonly string[]): string[] =>
  calls.filter(
    (call) => inside(call) && !harmless(call) && !/= -1 /.test(call) && (!call.startsWith('open') || writes.test(call)),
  );

/** Connections beyond this machine's own sockets. */
const abroad = (calls: readonly string[]): string[] =>
  calls.filter((call) => call.startsWith('connect(') && !call.includes('AF_UNIX'));

/** Every file of the repository with its bytes, mode and time. */
async function state() {
  const found = Object.entries(await tree(root)).filter(
    ([path, { kind }]) => kind === 'file' && !advisory.test(`/${path}`),
  );
  return found.map(([path, entry]) => ({ path, ...entry, time: statSync(join(root, path), { bigint: true }).mtimeNs }));
}

const serving = (socket: string): string[] => [
  'sh',
  '-c',
  'mkfifo "$2/said"; "$0" serve "$3" --repo "$4" --socket "$1" -o json > "$2/said" & read line < "$2/said"; ' +
    'qemu-img convert -O raw "nbd+unix:///data?socket=$1" "$2/served.img"; kill -INT $!; wait $!; test -s "$2/served.img"',
  executable('backup-chain'),
  socket,
  out,
  address,
  root,
];

const goal = (name: string): string[] => ['--file', '--to', join(out, name)];
const repo = ['--repo', root];

needs('strace')('backup files are only ever opened to be read', () => {
  it.each<[string, () => string[]]>([
    ['list', () => ['list', ...repo]],
    ['list --points --all', () => ['list', '--points', '--all', ...repo]],
    ['show', () => ['show', address, ...repo]],
    ['plan --extents', () => ['plan', address, '--extents', ...repo]],
    ['validate --level meta', () => ['validate', '--level', 'meta', ...repo]],
    ['validate --level fast', () => ['validate', '--level', 'fast', ...repo]],
    ['validate --level deep', () => ['validate', '--level', 'deep', ...repo]],
    ['validate --files --level deep', () => ['validate', '--files', ...loose(), '--level', 'deep']],
    ['restore', () => ['restore', address, ...repo, ...goal('native.img'), '--verify', 'full']],
    ['restore --engine qemu', () => ['restore', address, ...repo, ...goal('qemu.img'), '--engine', 'qemu']],
    ['restore --files', () => ['restore', '--files', ...loose(), ...goal('loose.img')]],
    ['restore --plan=sh', () => ['restore', address, ...repo, ...goal('never.img'), '--plan=sh']],
    ['verify', () => ['verify', address, ...repo, '--against', join(out, 'verified.img')]],
    ['scrub', () => ['scrub', address, ...repo]],
    ['drill', () => ['drill', address, ...repo, '--into', out]],
    ['drill --via read', () => ['drill', address, ...repo, '--via', 'read']],
    ['export --flat', () => ['export', address, ...repo, '--flat', join(out, 'flat.qcow2')]],
    ['export --chain', () => ['export', address, ...repo, '--chain', join(out, 'chain')]],
    [
      'import of loose files of another repository',
      () => ['import', '--repo', join(bench.folder, 'new'), '--vm', 'db', ...loose().map((path) => `data=${path}`)],
    ],
  ])('%s', async (_, words) => {
    if (words()[0] === 'import') {
      mkdirSync(join(bench.folder, 'new'), { recursive: true });
      await done(['init', '--repo', join(bench.folder, 'new')]);
    }
    const before = await state();
    const trace =
      'openat,open,connect,unlink,unlinkat,rename,renameat,renameat2,link,linkat,chmod,fchmodat,truncate,creat';
    const { calls, code, stderr } = await strace(['backup-chain', ...words()], { trace });
    expect([code, wrongs(calls), abroad(calls)], stderr).toEqual([0, [], []]);
    expect(calls.filter(inside).length).toBeGreaterThan(2);
    expect(await state()).toEqual(before);
  });

  it('and this would be seen: a capture writes', async () => {
    const f = bench.copy();
    const image = join(out, 'native.img');
    const words = ['capture', '--repo', f.root, '--vm', 'db', `data=${image}`, '--format', 'raw', '--full'];
    const { calls, code } = await strace(['backup-chain', ...words], { trace: 'openat,link,linkat,rename' });
    expect(code).toBe(0);
    expect(wrongs(calls.map((call) => call.replaceAll(f.root, root))).length).toBeGreaterThan(8);
  });

  needs('qemu-storage-daemon')('served', () => {
    it('serve, while it is read', async () => {
      const before = await state();
      const trace = 'openat,open,connect,unlink,unlinkat,rename,renameat,renameat2,link,linkat,truncate,creat';
      const { calls, stderr } = await strace(serving(join(bench.folder, 'nbd.sock')), { trace });
      expect([wrongs(calls), abroad(calls)], stderr).toEqual([[], []]);
      expect(statSync(join(out, 'served.img')).size).toBe(64 * 65_536);
      expect(calls.filter(inside).length).toBeGreaterThan(8);
      expect(await state()).toEqual(before);
    });
  });
});

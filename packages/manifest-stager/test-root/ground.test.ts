import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, statfs, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { local } from '@platter/host/local';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { say } from '../test/said.ts';

const tool = [process.execPath, join(import.meta.dirname, '../dist/cli.mjs')];
const map = (value: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\ndata: {v: ${value}}\n`;

/** Reads the file and the folder as fast as it can; prints what it saw that was neither of two contents, or a foreign name. */
const reader = `
const fs = require('node:fs');
const [folder, ...whole] = process.argv.slice(1);
const wrong = new Set();
let reads = 0;
process.stdin.on('end', () => { console.log(JSON.stringify({ reads, wrong: [...wrong] })); process.exit(); }).resume();
(function look() {
  for (let n = 0; n < 50; n += 1, reads += 1) {
    const seen = fs.readFileSync(folder + '/x.yaml', 'utf8');
    if (!whole.includes(seen)) wrong.add(seen.slice(0, 80));
    for (const name of fs.readdirSync(folder)) if (name !== 'x.yaml' && !/^\\.x\\.yaml\\.\\d+-[0-9a-f]+\\.tmp$/.test(name)) wrong.add(name);
  }
  setImmediate(look);
})();`;

needs('root', 'ext4')('on ext4', () => {
  it('a reader over many replaces sees whole files only, and no foreign names', async () => {
    await using ground = await mounted('ext4', 64 * 2 ** 20);
    const contents = [map('a'.repeat(40_000)), map('b'.repeat(50_000))];
    const folder = join(ground.path, 'var/lib/y-cluster/manifests-staging');
    const replace = (verb: string, n: number) =>
      say(local(), `${verb} x - --root ${ground.path}`, { stdin: contents[n % 2] ?? '' });
    expect((await replace('add', 0)).code).toBe(0);
    const child = spawn(process.execPath, ['-e', reader, folder, ...contents]);
    for (let n = 1; n <= 400; n += 1) expect((await replace('replace', n)).records[0]?.action).toBe('replaced');
    child.stdin.end();
    const [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const { reads, wrong } = JSON.parse(said);
    expect(wrong).toEqual([]);
    expect(reads).toBeGreaterThan(400);
  });

  it('a full filesystem is said, the old state is whole and the temporary gone', async () => {
    await using ground = await mounted('ext4', 4 * 2 ** 20);
    await succeed([...tool, 'add', 'x', '-', '--root', ground.path], { stdin: map('old') });
    const { bfree, bsize } = await statfs(ground.path);
    await writeFile(join(ground.path, 'ballast'), Buffer.alloc(bfree * bsize - 400 * 1024));
    const before = await tree(join(ground.path, 'var'));
    const large = map('a'.repeat(1_000_000));
    for (const words of [
      ['replace', 'x'],
      ['add', 'other'],
      ['add', 'later', '--first-boot'],
    ]) {
      const input = words[0] === 'add' ? large.replace('name: a', `name: ${words[1]}`) : large;
      const { code, stderr } = await run([...tool, ...words, '-', '--root', ground.path], { stdin: input });
      expect([code, stderr]).toEqual([1, expect.stringContaining('no space left on device')]);
    }
    const after = await tree(join(ground.path, 'var'));
    delete after['lib/y-cluster/manifests-first-boot'];
    expect(after).toEqual(before);
    await truncate(join(ground.path, 'ballast'), 0);
    expect(await succeed([...tool, 'replace', 'x', '-', '--root', ground.path], { stdin: large })).toContain(
      'replaced',
    );
  });
});

needs('root')('below a root', () => {
  it('no verb follows a symlink out of the image', async () => {
    await using ground = await tempFolder();
    const [image, outside] = [join(ground.path, 'image'), join(ground.path, 'outside')];
    await mkdir(join(outside, 'lib/y-cluster/manifests-staging'), { recursive: true });
    await writeFile(join(outside, 'lib/y-cluster/manifests-staging/x.yaml'), map('theirs'));
    await mkdir(image);
    await symlink(join(outside), join(image, 'var'));
    const before = await tree(outside);
    for (const words of [['add', 'x', '-'], ['replace', 'x', '-'], ['rm', 'x'], ['show', 'x'], ['list']]) {
      const { code, stdout, stderr } = await run([...tool, ...words, '--root', image], { stdin: map('ours') });
      expect([code, stdout, stderr]).toEqual([3, '', expect.stringContaining(`${image}/var: it is a symlink`)]);
    }
    expect(await tree(outside)).toEqual(before);
  });

  it('a read-only filesystem: what is there can be listed and shown, a change says why not', async () => {
    await using ground = await tempFolder();
    const root = join(ground.path, 'root');
    await mkdir(root);
    await succeed([...tool, 'add', 'x', '-', '--root', root], { stdin: map('a') });
    await succeed(['mount', '--bind', root, root]);
    await succeed(['mount', '-o', 'remount,bind,ro', root]);
    expect(await succeed([...tool, 'list', '-o', 'name', '--root', root])).toBe('x\n');
    expect(await succeed([...tool, 'add', 'x', '-', '--root', root], { stdin: map('a') })).toContain('unchanged');
    const { code, stderr } = await run([...tool, 'rm', 'x', '--root', root]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('read-only')]);
    expect(await readdir(join(root, 'var/lib/y-cluster/manifests-staging'))).toEqual(['x.yaml']);
  });
});

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { shown } from '@platter/host/shown';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { History, statesOf, steps } from './history.ts';
import { Bench, dataFile, flip, idsOf, newest } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

const size = 64 * cluster;
const address = 'default/db/data@latest';
const fresh = (): string => mkdtempSync(join(bench.folder, 'export-'));
const exporting = (...words: string[]) => tool(['export', address, '--repo', bench.good, ...words]);

/** What qemu-img makes of copies of the files, chained. */
function converted(files: readonly string[]): Buffer {
  const folder = fresh();
  const copies = files.map((file, n) => {
    const copy = join(folder, `${n}.qcow2`);
    copyFileSync(file, copy);
    execFileSync('chmod', ['u+w', copy]);
    if (n > 0) execFileSync('qemu-img', ['rebase', '-u', '-F', 'qcow2', '-b', `${n - 1}.qcow2`, copy]);
    return copy;
  });
  const raw = join(folder, 'raw');
  execFileSync('qemu-img', ['convert', '-O', 'raw', copies.at(-1) as string, raw]);
  return readFileSync(raw);
}

const rawOf = (image: string): Buffer => {
  const raw = join(fresh(), 'raw');
  execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
  return readFileSync(raw);
};

describe('export --flat', () => {
  it.each([0, 1, 2, 3])('of point %i: what qemu-img makes of the chain, and nothing else', async (last) => {
    const f = bench.copy();
    const goal = join(fresh(), 'disk.qcow2');
    const words = ['export', `default/db/data@${f.ids[last]}`, '--repo', f.root, '--flat', goal];
    const { records } = await done(words);
    const bytes = statSync(goal).size;
    expect(records).toEqual([
      expect.objectContaining({ kind: 'BackupExport', form: 'flat', path: goal, files: [goal], bytes }),
    ]);
    const files = f.ids.slice(0, last + 1).map((_, n) => dataFile(f, n));
    expect(rawOf(goal).equals(converted(files))).toBe(true);
    expect(() => execFileSync('qemu-img', ['check', '-f', 'qcow2', goal])).not.toThrow();
    const info = JSON.parse(execFileSync('qemu-img', ['info', '--output=json', goal]).toString());
    expect([info['backing-filename'], info['virtual-size']]).toEqual([undefined, size]);
    expect((statSync(goal).mode & 0o777).toString(8)).toBe('600');
    expect(readdirSync(join(goal, '..'))).toEqual(['disk.qcow2']);
  });

  it('is canonical: it can be captured from as a chain of one, and validates', async () => {
    const goal = join(fresh(), 'disk.qcow2');
    await exporting('--flat', goal);
    expect((await tool(['validate', '--files', goal, '--level', 'deep'])).code).toBe(0);
    expect((await tool(['verify', '--files', goal, '--against', rawFile(newest())])).code).toBe(0);
  });

  it('of a disk that ends inside a cluster, grown and shrunk; of one without any data', async () => {
    const [root, image] = [join(fresh(), 'repo'), join(fresh(), 'image')];
    mkdirSync(root);
    await done(['init', '--repo', root]);
    const disk = new Disk(3 * cluster);
    for (const state of [
      () => disk,
      () => disk.write(0, 1, 2),
      () => disk.resize(cluster + 512),
      () => disk.resize(9 * cluster + 1024).write(8, 9),
    ]) {
      state().save(image);
      await done(['capture', '--repo', root, '--vm', 'db', `data=${image}`, '--format', 'raw']);
      const goal = join(fresh(), 'disk.qcow2');
      await done(['export', address, '--repo', root, '--flat', goal]);
      expect(rawOf(goal).equals(disk.bytes)).toBe(true);
    }
  });
});

const rawFile = (bytes: Uint8Array): string => {
  const path = join(fresh(), 'raw');
  writeFileSync(path, bytes);
  return path;
};

describe('law: a history of writes, zeros and sizes', () => {
  it('each point exported flat, and restored by the script of its chain, holds what the disk held', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        using history = await new History(bench.folder).make(statesOf(all));
        for (const [id, bytes] of history.states) {
          const words = ['export', `default/db/data@${id}`, '--repo', history.root];
          const [flat, chain, raw] = ['flat', 'chain', 'raw'].map((name) => join(fresh(), name)) as Three;
          await done([...words, '--flat', flat]);
          await done([...words, '--chain', chain]);
          execFileSync('qemu-img', ['check', '-q', '-f', 'qcow2', flat]);
          expect((await tool(['verify', '--files', flat, '--against', rawFile(bytes), '--oracle'])).code).toBe(0);
          execFileSync('sh', [join(chain, 'restore.sh'), raw], { stdio: 'pipe' });
          expect(readFileSync(raw).equals(bytes)).toBe(true);
        }
      }),
      effort(5),
    );
  });
});

type Three = [string, string, string];
const scrubbed = (root: string) => tool(['scrub', '--repo', root]);

describe('export --chain', () => {
  it('has the files, their sums, the manifests and a script that restores them anywhere', async () => {
    const goal = join(fresh(), "it's a chain");
    const { records } = await exporting('--chain', goal);
    const folder = join(bench.good, 'vms/default/db/disks/data');
    const ids = idsOf(folder);
    for (const [n, id] of ids.entries()) {
      for (const file of [`data/${id}.0.qcow2`, `data/${id}.0.dig`, `points/00000${n + 1}-${id}.json`])
        expect(readFileSync(join(goal, basename(file))).equals(readFileSync(join(folder, file)))).toBe(true);
    }
    const names = readdirSync(goal);
    expect(names.length).toBe(3 * ids.length + 2);
    expect(records).toEqual([
      expect.objectContaining({
        form: 'chain',
        path: goal,
        files: expect.arrayContaining(names.map((name) => join(goal, name))),
      }),
    ]);
    const moved = join(fresh(), 'moved');
    execFileSync('mv', [goal, moved]);
    execFileSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: moved, stdio: 'pipe' });
    expect(readFileSync(join(moved, 'SHA256SUMS'), 'utf8').trimEnd().split('\n').length).toBe(names.length - 1);
    const cwd = fresh();
    for (const to of ['-disk.img', join(cwd, "it's\ta disk")]) {
      execFileSync('sh', [join(moved, 'restore.sh'), to], { cwd, stdio: 'pipe' });
      expect(readFileSync(join(cwd, basename(to))).equals(newest())).toBe(true);
      expect(() => execFileSync('sh', [join(moved, 'restore.sh'), to], { cwd, stdio: 'pipe' })).toThrow();
    }
    expect(() => execFileSync(join(moved, 'restore.sh'), [], { stdio: 'pipe' })).toThrow();
    expect((await tool(['validate', '--files', ...ids.map((id) => join(moved, `${id}.0.qcow2`))])).code).toBe(0);
  });

  it('of an older point has only what that needs', async () => {
    const f = bench.copy();
    const goal = join(fresh(), 'chain');
    await done(['export', `default/db/data@${f.ids[1]}`, '--repo', f.root, '--chain', goal]);
    const images = readdirSync(goal).filter((name) => name.endsWith('.qcow2'));
    expect(images).toEqual([`${f.ids[0]}.0.qcow2`, `${f.ids[1]}.0.qcow2`].sort());
  });

  it('of an imported file that ends inside a chunk: its sum is that of its bytes', async () => {
    const [root, file, goal] = ['repo', 'made.qcow2', 'chain'].map((name) => join(fresh(), name)) as Three;
    mkdirSync(root);
    await done(['init', '--repo', root]);
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', file, '1M']);
    expect(statSync(file).size % cluster).not.toBe(0);
    await done(['import', '--repo', root, '--vm', 'db', `data=${file}`]);
    await done(['export', address, '--repo', root, '--chain', goal]);
    const [image = ''] = readdirSync(goal).filter((name) => name.endsWith('.qcow2'));
    expect(readFileSync(join(goal, image)).equals(readFileSync(file))).toBe(true);
    execFileSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: goal, stdio: 'pipe' });
    expect((await scrubbed(root)).code).toBe(0);
  });

  it('does not copy rot: 5, and nothing stays', async () => {
    const f = bench.copy();
    flip(dataFile(f, 0), 2 * cluster + 5);
    const folder = fresh();
    const words = ['export', `default/db/data@${f.ids[3]}`, '--repo', f.root];
    expect((await tool([...words, '--chain', join(folder, 'chain')])).failure).toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining(`they differ at offset ${2 * cluster}`),
    });
    expect((await tool([...words, '--flat', join(folder, 'flat')])).code).toBe(5);
    expect(readdirSync(folder)).toEqual([]);
  });
});

needs('root', 'loop')('a script of an export', () => {
  it('restores to a device, which may be larger', async () => {
    const goal = join(fresh(), 'chain');
    await exporting('--chain', goal);
    const file = rawFile(new Uint8Array(size + 3 * cluster).fill(0xff));
    await using loop = await attach(file);
    execFileSync('sh', [join(goal, 'restore.sh'), loop.device], { stdio: 'pipe' });
    expect((await tool(['verify', address, '--repo', bench.good, '--against', loop.device])).code).toBe(0);
    await using small = await attach(rawFile(new Uint8Array(size - 512)));
    expect(() => execFileSync('sh', [join(goal, 'restore.sh'), small.device], { stdio: 'pipe' })).toThrow();
  });
});

needs('root', 'xfs')('export --chain on XFS', () => {
  it('shares the bytes of the repository', async () => {
    await using ground = await mounted('xfs');
    const root = join(ground.path, 'repo');
    execFileSync('cp', ['-r', bench.good, root]);
    const goal = join(ground.path, 'chain');
    await done(['export', address, '--repo', root, '--chain', goal]);
    const map = execFileSync('filefrag', [
      '-v',
      join(goal, `${idsOf(join(root, 'vms/default/db/disks/data'))[0]}.0.qcow2`),
    ]).toString();
    expect(map).toContain('shared');
    execFileSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: goal, stdio: 'pipe' });
  });
});

describe('what an export is refused', () => {
  it.each(['--flat', '--chain'])('%s to what is there, in the repository, or in no folder: 3', async (form) => {
    const folder = fresh();
    const there = join(folder, 'there');
    writeFileSync(there, 'mine');
    const before = await tree(folder);
    expect((await exporting(form, there)).code).toBe(3);
    expect((await exporting(form, join(folder, 'none/goal'))).code).toBe(3);
    expect((await exporting(form, join(bench.good, 'goal'))).code).toBe(3);
    expect((await exporting(form, join(bench.good, 'vms/default/goal'))).code).toBe(3);
    expect(await tree(folder)).toEqual(before);
    expect(existsSync(join(bench.good, 'goal'))).toBe(false);
  });

  it('forms: none or two are 2', async () => {
    const folder = fresh();
    expect((await exporting()).code).toBe(2);
    expect((await exporting('--flat', join(folder, 'a'), '--chain', join(folder, 'b'))).code).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('where somebody else works: 4; what a dead run left is swept; what no run left is in the way', async () => {
    const folder = fresh();
    const [goal, left] = [join(folder, 'goal'), join(folder, '.tmp-goal')];
    const words = JSON.stringify({ tool: 'backup-chain', verb: 'export', pid: 1, host: 'here', since: 'then' });
    mkdirSync(left);
    writeFileSync(join(left, 'disk.qcow2'), 'half');
    expect((await exporting('--flat', goal)).code).toBe(3);
    writeFileSync(`${left}.lock`, '{"tool":"another"}\n');
    expect((await exporting('--flat', goal)).code).toBe(3);
    expect(readFileSync(join(left, 'disk.qcow2'), 'utf8')).toBe('half');
    writeFileSync(`${left}.lock`, `${words}\n`);
    const other = await local().query({ op: 'lock', path: `${left}.lock` });
    expect((await exporting('--flat', goal)).code).toBe(4);
    other.release();
    expect((await exporting('--flat', goal)).code).toBe(0);
    expect(readdirSync(folder)).toEqual(['goal']);
  });

  it('a full filesystem: 3, and nothing stays', async () => {
    await using ground = await mounted('ext4', 8 * 2 ** 20);
    const folder = join(ground.path, 'out');
    mkdirSync(folder);
    execFileSync('fallocate', ['-l', '5M', join(ground.path, 'filler')]);
    for (const form of ['--flat', '--chain']) expect((await exporting(form, join(folder, 'goal'))).code).toBe(3);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('what an export touches', () => {
  it('nothing in the repository is opened for writing, and nothing there changes', async () => {
    const before = await tree(bench.good);
    const folder = fresh();
    for (const form of ['--flat', '--chain']) {
      const argv = ['export', address, '--repo', bench.good, form, join(folder, form)];
      const { calls, code } = await strace(['backup-chain', ...argv], {
        trace: 'openat,connect,unlink,rename,link,chmod,truncate',
      });
      expect(code).toBe(0);
      const there = calls.filter((call) => call.includes(`"${bench.good}/`));
      expect(there.length).toBeGreaterThan(8);
      expect(
        there.filter((call) => !call.startsWith('openat') || /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call)),
      ).toEqual([]);
    }
    expect(await tree(bench.good)).toEqual(before);
  });

  /** Without what only moves data: a dry run shows programs in its place, and copies what cannot be shared. */
  const planned = (lines: readonly string[]) =>
    lines.filter((line) => !/^(# (pour|lock)|sync|cp|qemu-img) /.test(line));

  it.each(['--flat', '--chain'])('%s in a dry run: nothing, and shows the steps that a run takes', async (form) => {
    const folder = fresh();
    const { steps, code } = await exporting(form, join(folder, 'goal'), '-n');
    expect(code).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
    const machine = local();
    const changes: string[] = [];
    const host: Host = {
      dry: false,
      query: (query) => machine.query(query),
      change: (change) => {
        changes.push(shown(change));
        return machine.change(change);
      },
    };
    const words = ['export', address, '--repo', bench.good, form, join(folder, 'goal')];
    expect((await tool(words, { host })).code).toBe(0);
    expect(planned(steps)).toEqual(planned(changes));
    expect(planned(steps).length).toBeGreaterThan(6);
    expect(steps.some((step) => /^(qemu-img|cp) /.test(step))).toBe(true);
  });
});

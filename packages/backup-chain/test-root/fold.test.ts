import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLayer } from '@platter/qcow2/open';
import { Patch } from '@platter/qcow2/patch';
import { bytesSource } from '@platter/qcow2/source';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { History, statesOf, steps } from './history.ts';

const fold = (history: History, ...more: string[]) =>
  tool(['merge', `default/db/data@${history.ids[0]}..latest`, '--repo', history.root, ...more]);

const check = (file: string) => execFileSync('qemu-img', ['check', '-q', '-f', 'qcow2', file]);
const dataOf = (history: History): string =>
  join(history.disk, 'data', readdirSync(join(history.disk, 'data')).find((name) => name.endsWith('.qcow2')) ?? '');

/** The full's file where it lies now, in the trash. */
function trashed(history: History, name: string): string {
  const [entry = ''] = readdirSync(join(history.vm, 'trash'));
  return join(history.vm, 'trash', entry, 'disks/data/data', name);
}

/** A full of 200 clusters, and increments that overwrite, zero and extend it. */
function eventful(parent: string): Promise<History> {
  const disk = new Disk(300 * cluster).write(...Array.from({ length: 200 }, (_, n) => n));
  const states = [disk.bytes.slice()];
  states.push(disk.write(3, 4, 5, 260).zero(10, 11, 12, 50, 52, 54).bytes.slice());
  states.push(disk.write(12, 270, 271, 272).zero(4, 199).bytes.slice());
  return new History(parent).make(states);
}

needs(
  'root',
  'xfs',
  'btrfs',
)('fold by reflink', () => {
  it.each(['xfs', 'btrfs'] as const)('on %s is fold by the writer, and leaves the full alone', async (filesystem) => {
    await using ground = await mounted(filesystem);
    using history = await eventful(ground.path);
    using plain = history.copy('/tmp');
    const name = `${history.ids[0]}.0.qcow2`;
    const before = readFileSync(join(history.disk, 'data', name));
    const last = history.ids.at(-1) as string;
    const [one] = (await fold(history)).records;
    expect(one).toMatchObject({ method: 'reflink', became: 'full', from: { length: 2 } });
    expect((await fold(plain)).records).toMatchObject([{ method: 'write' }]);
    expect(Number(one?.bytesWritten)).toBeLessThan(20 * cluster);
    expect(readFileSync(trashed(history, name)).equals(before)).toBe(true);
    for (const each of [history, plain]) {
      await done(['validate', '--repo', each.root, '--level', 'deep']);
      check(dataOf(each));
      expect((await each.restored(last)).equals(each.states.get(last) ?? Buffer.of())).toBe(true);
    }
    execFileSync('qemu-img', ['compare', '-q', '-s', '-f', 'qcow2', '-F', 'qcow2', dataOf(history), dataOf(plain)]);
    expect(statSync(dataOf(history)).mode & 0o777).toBe(0o444);
    expect((await fold(history)).code).toBe(3);
  });

  it('shares what did not change, and gives back what became zero', async () => {
    await using ground = await mounted('xfs');
    const disk = new Disk(300 * cluster).write(...Array.from({ length: 300 }, (_, n) => n));
    const states = [disk.bytes.slice()];
    states.push(disk.zero(...Array.from({ length: 200 }, (_, n) => n + 50)).bytes.slice());
    using history = await new History(ground.path).make(states);
    expect((await fold(history)).records).toMatchObject([{ method: 'reflink' }]);
    const { size, blocks } = statSync(dataOf(history));
    expect(size - blocks * 512).toBeGreaterThanOrEqual(200 * cluster);
    expect(execFileSync('filefrag', ['-v', dataOf(history)]).toString()).toContain('shared');
    check(dataOf(history));
  });

  it('of any history, time after time, keeps what every point shows', async () => {
    await using ground = await mounted('xfs', 512 * 2 ** 20);
    await fc.assert(
      fc.asyncProperty(steps, fc.array(steps, { maxLength: 2 }), async (all, more) => {
        const still = [all, ...more].flat().map((step) => ({ ...step, size: null }));
        const states = statesOf(still);
        using history = await new History(ground.path).make([]);
        for (const [n, bytes] of states.entries()) {
          await history.capture(bytes);
          if (n % 3 < 2 || history.ids.length < 2) continue;
          expect((await fold(history)).records).toMatchObject([{ method: 'reflink' }]);
          await done(['validate', '--repo', history.root, '--level', 'deep']);
          const [id = ''] = history.ids;
          expect((await history.restored(id)).equals(history.states.get(id) ?? Buffer.of())).toBe(true);
        }
      }),
      effort(4),
    );
  }, 600_000);

  it('without room is refused, and nothing is changed', async () => {
    await using ground = await mounted('btrfs', 160 * 2 ** 20);
    using history = await eventful(ground.path);
    const listed = () => readdirSync(history.root, { recursive: true }).sort();
    const before = listed();
    const { bavail, bsize } = statfsSync(ground.path);
    writeFileSync(join(ground.path, 'ballast'), Buffer.alloc(bavail * bsize - 40 * 2 ** 20, 1));
    const { code, failure } = await fold(history);
    expect(code).toBe(3);
    expect(failure).toMatchObject({ hint: 'backup-chain trash purge' });
    expect(listed()).toEqual(before);
  });

  it('a dry run shows the clone, and nothing happens', async () => {
    await using ground = await mounted('xfs');
    using history = await eventful(ground.path);
    const before = readdirSync(history.root, { recursive: true }).length;
    const { steps: lines, records } = await fold(history, '-n');
    expect(readdirSync(history.root, { recursive: true })).toHaveLength(before);
    expect(records).toMatchObject([{ method: 'reflink' }]);
    const words = lines.map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(words.filter((line) => /^(cp|qemu-img|fallocate)/.test(line))).toEqual([
      'cp --reflink=always',
      'cp --reflink=always',
      'qemu-img convert',
    ]);
    const clone = lines.find((line) => line.startsWith('cp ')) ?? '';
    const convert = lines.find((line) => line.startsWith('qemu-img ')) ?? '';
    const target = join(history.folder, 'by-hand.qcow2');
    execFileSync('sh', ['-euc', [clone, convert].join('\n').replaceAll(/\S+\.tmp-\S+/g, target)]);
    expect(existsSync(target)).toBe(true);
    const raw = join(history.folder, 'by-hand.raw');
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', target, raw]);
    expect(readFileSync(raw).equals(history.states.get(history.ids.at(-1) ?? '') ?? Buffer.of())).toBe(true);
  });
});

describe('a patch', () => {
  it('works on a full that QEMU laid out', async () => {
    await using folder = await tempFolder();
    const image = join(folder.path, 'odd.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(20 * cluster)]);
    const writes = ['write -P 1 640k 128k', 'write -P 2 0 64k', 'write -z 64k 64k', 'discard 640k 64k'];
    execFileSync('qemu-io', ['-f', 'qcow2', '-d', 'unmap', ...writes.flatMap((words) => ['-c', words]), image], {
      stdio: 'pipe',
    });
    const bytes = readFileSync(image);
    const patch = new Patch(await openLayer(bytesSource(bytes), 'full'));
    const places: [number, number][] = [];
    for (const index of [0, 1, 2, 19]) places.push([await patch.replace(index), index]);
    const { blocks, size } = await patch.finish();
    const patched = Buffer.alloc(size);
    patched.set(bytes);
    for await (const { at, bytes: block } of blocks) patched.set(block, at);
    for (const [at, index] of places) patched.fill(0x40 + index, at, at + cluster);
    writeFileSync(image, patched);
    check(image);
    const raw = join(folder.path, 'odd.raw');
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
    const guest = readFileSync(raw);
    expect([0, 1, 2, 3, 10, 11, 19].map((index) => guest[index * cluster])).toEqual([0x40, 0x41, 0x42, 0, 0, 1, 0x53]);
  });
});

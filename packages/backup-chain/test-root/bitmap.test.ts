import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change, Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { shown } from '@platter/host/shown';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { done, type Ran, tool } from '../test/tool.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-bitmap-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let number = 0;

const run = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const MiB = 2 ** 20;

/** A machine that dies at its n-th change: from there on nothing is changed, not even to put things back. */
function dying(n: number): Host {
  const machine = local();
  let count = 0;
  return {
    dry: false,
    query: (query) => machine.query(query),
    change: async (change) => {
      count += 1;
      if (count >= n) throw new Error('killed');
      return machine.change(change);
    },
  };
}

class Tracked {
  readonly dir = join(folder, String(++number));
  readonly root = join(this.dir, 'repo');
  readonly image = join(this.dir, 'disk.qcow2');

  static async make(size = 4 * MiB, style = 'cluster_size=64k'): Promise<Tracked> {
    const made = new Tracked();
    mkdirSync(made.root, { recursive: true });
    await done(['init', '--repo', made.root]);
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', style, made.image, String(size));
    return made;
  }

  io(...commands: string[]): this {
    if (commands.length > 0) run('qemu-io', '-f', 'qcow2', ...commands.flatMap((one) => ['-c', one]), this.image);
    return this;
  }

  capture(more: readonly string[] = [], host = local()): Promise<Ran> {
    return tool(['capture', '--repo', this.root, '--vm', 'db', `data=${this.image}`, ...more], { host });
  }

  get names(): string[] {
    const info = JSON.parse(run('qemu-img', 'info', '--output=json', this.image));
    return (info['format-specific'].data.bitmaps ?? []).map(({ name }: { name: string }) => name);
  }

  get ids(): string[] {
    const points = join(this.root, 'vms/default/db/disks/data/points');
    return (existsSync(points) ? readdirSync(points) : []).sort().map((name) => name.slice(7, -5));
  }

  /** What a guest sees of the source now. */
  get content(): Buffer {
    const raw = join(this.dir, 'raw');
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', this.image, raw);
    return readFileSync(raw);
  }

  async restored(id: string): Promise<Buffer> {
    const to = join(this.dir, 'out');
    await done(['restore', `default/db/data@${id}`, '--repo', this.root, '--file', '--to', to]);
    const bytes = readFileSync(to);
    rmSync(to);
    return bytes;
  }
}

const engineOf = ({ records }: Ran) => (records[0] as { capture?: { engine: string } } | undefined)?.capture?.engine;

describe('engine bitmap', () => {
  it('starts when it is asked for, and then auto goes on: only marked clusters are read', async () => {
    const disk = await Tracked.make();
    disk.io('write -P 1 0 4M');
    expect((await disk.capture()).records[0]).toMatchObject({ capture: { engine: 'diff', checkpoint: null } });
    expect(disk.names).toEqual([]);
    disk.io('write -P 2 0 64k');
    const started = await disk.capture(['--engine', 'bitmap']);
    expect(started.records[0]).toMatchObject({
      type: 'incremental',
      capture: { engine: 'diff' },
      data: { dataClusters: 1 },
    });
    disk.io('write -P 3 128k 100k', 'write -z 1M 64k', 'discard 2M 128k');
    const next = await disk.capture();
    expect(next.records[0]).toMatchObject({
      capture: { engine: 'bitmap', checkpoint: expect.stringMatching(/^platter-[0-9a-f]{8}-/) },
      data: { dataClusters: 2, zeroClusters: 3 },
      engineReason: null,
    });
    expect((next.records[0] as { bytesRead: number }).bytesRead).toBeLessThan(4 * MiB);
    expect(disk.names).toEqual([expect.stringContaining(String(disk.ids.at(-1)))]);
    expect((await disk.restored('latest')).equals(disk.content)).toBe(true);
  });

  it('an unchanged disk keeps the bitmap it had; a full goes on with a new one', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 1M');
    await disk.capture(['--engine', 'bitmap']);
    const before = disk.names;
    disk.io('write -P 1 0 64k');
    expect((await disk.capture()).records[0]).toMatchObject({ outcome: 'unchanged' });
    expect(disk.names).toEqual(before);
    disk.io('write -P 2 0 64k');
    expect((await disk.capture(['--full'])).records[0]).toMatchObject({ type: 'full', capture: { engine: 'diff' } });
    expect(disk.names).toEqual([expect.stringContaining(String(disk.ids.at(-1)))]);
    disk.io('write -P 3 0 64k');
    expect(engineOf(await disk.capture())).toBe('bitmap');
  });

  it('what is in use, disabled, of another repository or of another size is not gone by', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 4M');
    await disk.capture(['--engine', 'bitmap']);
    const fallsBack = async (why: RegExp) => {
      const ran = await disk.capture();
      expect([engineOf(ran), ran.notes.join()]).toEqual(['diff', expect.stringMatching(why)]);
      expect(ran.records[0]).toMatchObject({ engineReason: expect.stringMatching(why) });
      expect((await disk.restored('latest')).equals(disk.content)).toBe(true);
    };
    try {
      run('qemu-io', '-f', 'qcow2', '-c', 'write -P 2 64k 64k', '-c', 'abort', disk.image);
    } catch {
      // it was told to abort
    }
    await fallsBack(/not closed/);
    run('qemu-img', 'bitmap', '--disable', disk.image, disk.names[0] ?? '');
    disk.io('write -P 3 64k 64k');
    await fallsBack(/disabled/);
    run('qemu-img', 'resize', '-q', '-f', 'qcow2', disk.image, '5M');
    await fallsBack(/size/);
    disk.io('write -P 4 0 64k');
    expect(engineOf(await disk.capture())).toBe('bitmap');
    const other = await Tracked.make();
    copyFileSync(disk.image, other.image);
    await other.capture(['--engine', 'bitmap']);
    expect(other.names).toHaveLength(2);
  });

  it('a source that went another way since is read where its chain differs', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 4M');
    await disk.capture(['--engine', 'bitmap']);
    const aside = join(disk.dir, 'aside');
    copyFileSync(disk.image, aside);
    disk.io('write -P 2 1M 256k', 'discard 3M 64k');
    await disk.capture();
    copyFileSync(aside, disk.image);
    disk.io('write -P 3 2M 64k');
    expect(engineOf(await disk.capture())).toBe('bitmap');
    expect((await disk.restored('latest')).equals(disk.content)).toBe(true);
  });

  it('cut and grown again it holds no stale byte, although nothing is marked', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 4M');
    await disk.capture(['--engine', 'bitmap']);
    run('qemu-img', 'resize', '-q', '-f', 'qcow2', '--shrink', disk.image, '1M');
    run('qemu-img', 'resize', '-q', '-f', 'qcow2', disk.image, '4M');
    expect((await disk.capture()).records[0]).toMatchObject({
      capture: { engine: 'bitmap' },
      data: { zeroClusters: 48 },
    });
    expect((await disk.restored('latest')).equals(disk.content)).toBe(true);
  });

  it('is refused where there can be no bitmap, and nothing is changed', async () => {
    const disk = await Tracked.make(MiB, 'compat=0.10');
    const refused = async (path: string, ...more: string[]) => {
      const ran = await tool([
        'capture',
        '--repo',
        disk.root,
        '--vm',
        'db',
        `data=${path}`,
        '--engine',
        'bitmap',
        ...more,
      ]);
      expect([ran.code, ran.failure?.message]).toEqual([3, expect.stringContaining('by bitmaps')]);
    };
    await refused(disk.image);
    const raw = join(disk.dir, 'plain');
    writeFileSync(raw, new Uint8Array(MiB));
    await refused(raw, '--format', 'raw');
    expect(readdirSync(join(disk.root, 'vms'))).toEqual([]);
  });

  it('a source that cannot be written is read whole, and its bitmap stays for later', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 1M');
    await disk.capture(['--engine', 'bitmap']);
    disk.io('write -P 2 0 64k');
    const before = readFileSync(disk.image);
    const sealed = join(disk.dir, 'sealed');
    writeFileSync(sealed, '');
    run('mount', '--bind', disk.image, sealed);
    run('mount', '-o', 'remount,bind,ro', sealed);
    try {
      const capture = (...more: string[]) =>
        tool(['capture', '--repo', disk.root, '--vm', 'db', `data=${sealed}`, ...more]);
      expect((await capture('--engine', 'bitmap')).code).toBe(3);
      const ran = await capture();
      expect([engineOf(ran), ran.notes.join()]).toEqual(['diff', expect.stringContaining('cannot be written')]);
    } finally {
      run('umount', sealed);
    }
    expect(readFileSync(disk.image).equals(before)).toBe(true);
    disk.io('write -P 3 64k 64k');
    expect(engineOf(await disk.capture())).toBe('bitmap');
    expect((await disk.restored('latest')).equals(disk.content)).toBe(true);
  });

  it('a dry run shows what is added and removed, and touches nothing', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 1M');
    await disk.capture(['--engine', 'bitmap']);
    const [name] = disk.names;
    disk.io('write -P 2 0 64k');
    const before = readFileSync(disk.image);
    const { steps, code } = await disk.capture(['-n']);
    const lines = steps.filter((line) => line.startsWith('qemu-img bitmap'));
    expect([code, lines.length]).toEqual([0, 2]);
    expect(lines[0]).toMatch(/^qemu-img bitmap --add -g 65536 -f qcow2 .*disk.qcow2 platter-/);
    expect(lines[1]).toBe(`qemu-img bitmap --remove -f qcow2 ${disk.image} ${name}`);
    expect(readFileSync(disk.image).equals(before)).toBe(true);
  });

  it('order: added before anything of the point is made, removed after its set', async () => {
    const disk = (await Tracked.make()).io('write -P 1 0 1M');
    await disk.capture(['--engine', 'bitmap']);
    disk.io('write -P 2 0 64k');
    const changes: Change[] = [];
    const machine = local();
    const host: Host = {
      ...machine,
      change: (change) => {
        changes.push(change);
        return machine.change(change);
      },
    };
    await disk.capture([], host);
    const at = (pattern: RegExp) => changes.map(shown).findIndex((line) => pattern.test(line));
    const order = [/bitmap --add/, /\.tmp-/, /^ln .*points/, /^ln .*sets/, /bitmap --remove/].map(at);
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });
});

const place = { at: fc.nat(63), length: fc.integer({ min: 1, max: 12 }) };
const act = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ what: fc.constantFrom('write', 'write -z', 'write -z -u', 'discard'), ...place }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('resize'), ...place }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('rewind'), ...place }) },
);
const step = fc.record({
  acts: fc.array(act, { maxLength: 5 }),
  killed: fc.option(fc.integer({ min: 1, max: 26 }), { freq: 2 }),
  engine: fc.constantFrom('auto', 'auto', 'bitmap', 'diff'),
});

describe('law', () => {
  it('no changed byte is missed, whatever is written, resized, put back or killed between captures', async () => {
    let gone = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('4k', '64k', '256k'),
        fc.array(step, { minLength: 2, maxLength: 6 }),
        async (cluster, steps) => {
          const disk = await Tracked.make(4 * MiB + 512, `cluster_size=${cluster}`);
          const aside = join(disk.dir, 'aside');
          let [size, pattern] = [4 * MiB + 512, 0];
          await disk.capture(['--engine', 'bitmap']);
          copyFileSync(disk.image, aside);
          let saved = size;
          for (const { acts, killed, engine } of steps) {
            for (const { what, at, length } of acts) {
              pattern = (pattern % 250) + 1;
              const [from, bytes] = [at * 65_536 + 512, Math.min(length * 40_960, size - at * 65_536 - 512)];
              if (what === 'rewind') {
                copyFileSync(aside, disk.image);
                size = saved;
              } else if (what === 'resize') {
                size = Math.max(at * 65_536, 65_536) + length * 512;
                run('qemu-img', 'resize', '-q', '-f', 'qcow2', '--shrink', disk.image, String(size));
              } else if (bytes > 0) disk.io(`${what === 'write' ? `write -P ${pattern}` : what} ${from} ${bytes}`);
            }
            if (killed !== null) await disk.capture(['--engine', engine], dying(killed));
            if (killed === 7) [saved] = [size, copyFileSync(disk.image, aside)];
            const ran = await disk.capture(['--engine', engine]);
            expect(ran.failure).toBeNull();
            gone += engineOf(ran) === 'bitmap' ? 1 : 0;
            expect((await disk.restored('latest')).equals(disk.content)).toBe(true);
            const strays = disk.names.filter((name) => !disk.ids.some((id) => name.endsWith(id)));
            if (engine !== 'diff') expect(strays).toEqual([]);
          }
          expect((await tool(['validate', '--repo', disk.root])).code).toBe(0);
          rmSync(disk.dir, { recursive: true });
        },
      ),
      { numRuns: Number(process.env.PLATTER_ROUNDS ?? 8), seed: Number(process.env.PLATTER_SEED ?? 1) },
    );
    expect(gone).toBeGreaterThan(5);
  }, 1_200_000);
});

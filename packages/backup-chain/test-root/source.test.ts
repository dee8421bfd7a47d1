import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { Bench, patch, u32 } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

const capture = (source: string, ...more: string[]) =>
  tool(['capture', '--repo', bench.good, '--vm', 'db', `data=${source}`, ...more]);

/** What must be as it was after a refusal. */
const state = () => tree(bench.good);
const raw = (name: string): string => {
  const path = join(bench.folder, name);
  new Disk(64 * cluster).write(1, 2, 3).save(path);
  return path;
};

needs('loop')('a block device as source', () => {
  it('is captured, and is held meanwhile; mounted or held it is in use: 4', async () => {
    await using target = await attach(raw('device'));
    const before = await state();
    const held = openSync(target.device, 0o200 /* O_EXCL */);
    expect((await capture(target.device)).code).toBe(4);
    closeSync(held);
    await using ground = await mounted('ext4', 64 * 2 ** 20);
    const mount = execFileSync('findmnt', ['-n', '-o', 'SOURCE', ground.path]).toString().trim();
    expect((await capture(mount)).code).toBe(4);
    expect(await state()).toEqual(before);
    const f = bench.copy();
    const words = ['capture', '--repo', f.root, '--vm', 'db', `data=${target.device}`, '--format', 'raw', '--verify'];
    const { records } = await done(words);
    expect(records[0]).toMatchObject({ kind: 'BackupPoint', outcome: 'created', capture: { engine: 'diff' } });
  });
});

needs('qemu-img', 'qemu-io')('an image as source', () => {
  const image = (name: string, ...options: string[]): string => {
    const path = join(bench.folder, name);
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '4M']);
    return path;
  };
  const cases: readonly (readonly [what: string, make: () => string, code: number])[] = [
    ['with a backing file', () => image('backed', '-b', raw('below'), '-F', 'raw'), 3],
    ['with an external data file', () => image('external', '-o', `data_file=${join(bench.folder, 'data')}`), 3],
    [
      'with internal snapshots',
      () => {
        const path = image('snapshots');
        execFileSync('qemu-img', ['snapshot', '-c', 'one', path]);
        return path;
      },
      3,
    ],
    [
      'encrypted',
      () => {
        const path = image('encrypted');
        patch(path, 32, u32(1));
        return path;
      },
      3,
    ],
    [
      'that is corrupt',
      () => {
        const path = image('corrupt');
        patch(path, 20, u32(60));
        return path;
      },
      5,
    ],
  ];
  it.each(cases)('%s is refused, and nothing changes', async (_, make, code) => {
    const before = await state();
    const ran = await capture(make());
    expect([ran.code, ran.failure?.hint === undefined]).toEqual([code, code === 5]);
    expect(await state()).toEqual(before);
  });

  it.each(['raw', 'qcow2'] as const)(
    '%s that QEMU has open for writing is in use: 4, and says what to do',
    async (format) => {
      const path = format === 'raw' ? raw('written.raw') : image('written.qcow2');
      const writer = spawn('qemu-io', ['-f', format, path], { stdio: ['pipe', 'pipe', 'ignore'] });
      try {
        writer.stdin.write('read 0 512\n');
        await once(writer.stdout, 'data');
        const before = await state();
        const { code, failure } = await capture(path, '--format', format);
        expect([code, failure?.hint]).toEqual([4, expect.stringContaining('snapshot')]);
        expect(await state()).toEqual(before);
      } finally {
        writer.stdin.end('quit\n');
        await once(writer, 'close');
      }
      expect((await capture(path, '--format', format, '-n')).code).toBe(0);
    },
  );
});

describe('a source', () => {
  it('that is written to while it is read: 4, nothing is published and nothing is left', async () => {
    const f = bench.copy();
    const path = raw('moving');
    const machine = local();
    const host: Host = {
      ...machine,
      change: (change) => {
        if (change.op === 'pour') appendFileSync(path, new Uint8Array(512));
        return machine.change(change);
      },
    };
    const before = Object.keys(await tree(f.root));
    const words = ['capture', '--repo', f.root, '--vm', 'db', `data=${path}`, '--format', 'raw'];
    const { code, failure } = await tool(words, { host });
    expect([code, failure?.message]).toEqual([4, `${path} changed while it was read`]);
    expect(Object.keys(await tree(f.root))).toEqual(before);
  });

  it('in a dry run: nothing is made, of a new VM neither, nor of a new repository', async () => {
    const before = await state();
    const path = raw('dry');
    const words = ['capture', '--repo', bench.good, '--vm', 'fresh', `data=${path}`, '--format', 'raw', '-n'];
    const { code, steps } = await tool(words);
    expect([code, steps.length > 4]).toEqual([0, true]);
    expect((await capture(path, '--format', 'raw', '-n')).code).toBe(0);
    const empty = join(bench.folder, 'empty');
    mkdirSync(empty);
    const init = await tool(['init', '--repo', empty, '-n']);
    expect([init.code, init.steps.length > 2, readdirSync(empty)]).toEqual([0, true, []]);
    expect(await state()).toEqual(before);
  });

  it('named by records: the disk and the VM from them; a list that never ends is 2', async () => {
    const path = raw('recorded');
    const say = (stdin: object, ...words: string[]) =>
      tool(['capture', '-', '--repo', bench.good, '-n', ...words], { stdin: JSON.stringify(stdin) });
    const of = async (ran: ReturnType<typeof say>) => {
      const { code, records } = await ran;
      return [code, ...records.slice(0, 1).map(({ metadata }) => (metadata as { name: string }).name.split('@')[0])];
    };
    const revision = { kind: 'Revision', path, format: 'raw', metadata: { name: 'pool/web/logs@19' } };
    expect(await of(say(revision))).toEqual([0, 'default/web/logs']);
    expect(await of(say(revision, '--vm', 'shop/db'))).toEqual([0, 'shop/db/logs']);
    const disk = { kind: 'Disk', path: `${path}`, format: 'raw', metadata: { name: 'x' } };
    expect(await of(say(disk, '--vm', 'db'))).toEqual([0, 'default/db/recorded']);
    expect(await of(say(disk))).toEqual([2]);
    const identity = { ref: 'pool/db/data@1', path, ino: '1', birthNs: '1', mtimeNs: '1', size: 64 * cluster };
    const diff = {
      kind: 'DiskDiff',
      from: identity,
      to: identity,
      format: 'raw',
      ranges: [],
      zeros: [],
      complete: false,
    };
    expect((await say(diff, '--vm', 'db')).code).toBe(2);
    const whole = await say({ ...diff, complete: true }, '--vm', 'db');
    expect([whole.code, whole.notes[0]]).toEqual([0, expect.stringContaining('no list of changes is used')]);
  });
});

describe('list and show', () => {
  it('of what is not there: 3; of a point: its chain, and who rests on it', async () => {
    for (const words of [
      ['list', 'none'],
      ['list', 'default/db/none'],
      ['list', 'none', '--points'],
    ])
      expect((await tool([...words, '--repo', bench.good])).code, words.join(' ')).toBe(3);
    const ids = (await done(['list', 'default/db/data', '--repo', bench.good])).records as unknown as { id: string }[];
    const { text } = await done(['show', `default/db/data@${ids[1]?.id}`, '--repo', bench.good]);
    expect(text).toContain('  dependents  2');
    expect(text.filter((line) => line.includes('seq '))).toHaveLength(2);
  });

  it('a damaged chain of a few files ends with the words that restore what is there', async () => {
    const f = bench.copy();
    const files = f.ids.map((id) => join(f.disk, 'data', `${id}.0.qcow2`));
    patch(files[1] as string, 65_536, [0xff]);
    const { failure } = await tool(['plan', 'default/db/data@latest', '--repo', f.root]);
    expect(failure?.hint).toContain(`backup-chain restore --files ${files.join(' ')} --to TARGET`);
  });
});

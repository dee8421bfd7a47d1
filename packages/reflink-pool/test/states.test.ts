import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, work } from './pool-of.ts';
import { say } from './said.ts';

const restart = (disk: Disk) => {
  disk.boot = 'boot-2';
};

/** Somebody has the file open for writing and locked, as /proc shows it. */
function hold(disk: Disk, path: string): void {
  disk.facts.set('/proc/locks', `1: OFDLCK ADVISORY  READ -1 00:07:${disk.names.get(path)?.ino} 100 101\n`);
  disk.facts.set('/proc/self/mountinfo', '36 35 0:7 / /pool rw - xfs none rw\n');
}

/** Somebody has the file open, for reading, under this very name. */
function readBy(disk: Disk, path: string): void {
  disk.facts.set('/proc', [{ name: '77', kind: 'dir' }]).set('/proc/77/fd', [{ name: '3', kind: 'link' }]);
  disk.facts.set('/proc/77/fd/3', path).set('/proc/77/fdinfo/3', 'flags:\t0100000\n');
  disk.names.set('/proc/77/fd/3', disk.names.get(path) as never);
}

/** What a verb does in each state: the outcome of its record, or the exit code with which it leaves all as it is. */
type Table = Record<string, Record<string, string | number>>;

async function row(disk: Disk, line: string, expected: string | number): Promise<void> {
  const before = new Map(disk.names);
  const said = await changesOf(disk, line, { stdin: 'n'.repeat(512) });
  if (typeof expected === 'string') {
    expect([said.code, said.failure?.message, said.records.at(-1)?.outcome]).toEqual([0, undefined, expected]);
    return;
  }
  expect([said.code, said.changes]).toEqual([expected, []]);
  expect(new Map(disk.names)).toEqual(before);
}

describe('a saved volume', () => {
  const saved = ['create v --size 512 --policy count=5', 'start v', 'write x', 'stop v'];
  const written = [...saved, 'start v', 'write y'];
  const states: Record<string, [history: string[], touch?: (disk: Disk) => void]> = {
    stopped: [saved],
    running: [written],
    unclean: [written, restart],
    held: [
      written,
      (disk) => {
        restart(disk);
        hold(disk, work);
      },
    ],
    headless: [
      written,
      (disk) => {
        restart(disk);
        disk.names.delete(head);
      },
    ],
    broken: [saved, (disk) => void disk.names.delete(head)],
    importing: [[...saved, 'import v --begin --size 512']],
  };
  const order = ['stopped', 'running', 'unclean', 'held', 'headless', 'broken', 'importing'];
  const across: Record<string, (string | number)[]> = {
    'start v': ['started', 'already', 'resumed', 'already', 'resumed', 3, 4],
    'start v --on-dirty commit': ['started', 'already', 'started', 'already', 'started', 3, 4],
    'start v --on-dirty discard': ['started', 'already', 3, 'already', 3, 3, 4],
    'start v --on-dirty discard --confirm=v': ['started', 'already', 'started', 'already', 3, 3, 4],
    'start v --on-dirty refuse': ['started', 'already', 3, 'already', 3, 3, 4],
    'start v --prepare': ['prepared', 3, 3, 3, 3, 3, 4],
    'start v --reserve 2T': [3, 'already', 'resumed', 'already', 'resumed', 3, 4],
    'start v --reserve 2T --on-dirty commit': [3, 'already', 3, 'already', 3, 3, 4],
    'stop v': ['already', 'committed', 'committed', 4, 'committed', 'already', 'already'],
    'stop v --always': ['already', 'committed', 'committed', 4, 'committed', 'already', 'already'],
    'stop v --discard': ['already', 3, 3, 4, 3, 'already', 'already'],
    'stop v --discard --confirm=v': ['already', 'discarded', 'discarded', 4, 'discarded', 'already', 'already'],
    'stop v --discard --label kept': ['already', 'saved', 'saved', 4, 'saved', 'already', 'already'],
    'revert v@1': ['reverted', 3, 3, 4, 3, 'reverted', 4],
    'revert v@1 --discard': ['reverted', 3, 3, 4, 3, 'reverted', 4],
    'revert v@1 --discard --confirm=v': ['reverted', 'reverted', 'reverted', 4, 'reverted', 'reverted', 4],
    'revert v@head': ['already', 3, 3, 4, 3, 3, 4],
    'import v -': ['imported', 3, 3, 4, 3, 'imported', 4],
    'import v --begin --size 512': ['open', 3, 3, 4, 3, 'open', 4],
    'import v --commit none': [3, 3, 3, 4, 3, 3, 3],
    'import v --abort none': [3, 3, 3, 3, 3, 3, 3],
    'create v --size 512': [3, 3, 3, 3, 3, 3, 3],
    'remove v': [3, 3, 3, 4, 3, 3, 3],
    'remove v --confirm=v': ['removed', 'removed', 'removed', 4, 'removed', 'removed', 'removed'],
    'remove v@1': [3, 3, 3, 3, 3, 3, 3],
    'remove v@1 --confirm=v@1': ['removed', 'removed', 'removed', 'removed', 'removed', 'removed', 'removed'],
  };
  const rows = Object.entries(across).flatMap(([line, cells]) =>
    cells.map((expected, index) => [order[index] ?? '', line, expected] as const),
  );
  it.each(rows)('%s: %s: %s', async (state, line, expected) => {
    const [history = [], touch] = states[state] ?? [];
    const disk = await poolOf(...history);
    touch?.(disk);
    await row(disk, line, expected);
  });

  it.each(order)('%s: shows what it is', async (state) => {
    const [history = [], touch] = states[state] ?? [];
    const disk = await poolOf(...history);
    touch?.(disk);
    const known = state === 'held' ? 'running' : state === 'importing' ? 'stopped' : state;
    const { records } = await say(disk, 'show v');
    expect(records).toMatchObject([{ state: known, holders: state === 'held' ? [expect.any(String)] : [] }]);
    expect((await say(disk, 'list')).records).toMatchObject([{ state: known }]);
    expect(typeof records[0]?.importing).toBe(state === 'importing' ? 'string' : 'object');
  });
});

describe('other kinds', () => {
  const base = ['create t --size 512'];
  const kinds: Record<string, [history: string[], file: string]> = {
    snapshot: [['create v --kind snapshot --source t'], work],
    'read-only snapshot': [['create v --kind snapshot --source t --read-only'], head],
    volatile: [['create v --kind volatile --size 512'], work],
    'read-only saved': [['create v --size 512 --read-only'], head],
  };
  const states: Record<string, (disk: Disk, file: string) => unknown> = {
    stopped: () => {},
    running: (disk) => go(disk, 'start v'),
    'after a restart': async (disk) => {
      await go(disk, 'start v');
      restart(disk);
    },
    held: async (disk, file) => {
      await go(disk, 'start v', 'start t', 'stop t --always');
      if (file === head) readBy(disk, file);
      else hold(disk, file);
      restart(disk);
    },
    outdated: async (disk) => void (await go(disk, 'start v', 'start t', 'stop t --always')),
    'without its source': async (disk) => {
      await go(disk, 'start v');
      disk.names.delete('/pool/t.img');
    },
  };
  const tables: Record<string, Table> = {
    snapshot: {
      stopped: { 'start v': 'started', 'start v --prepare': 3, 'stop v': 'already', 'remove v --confirm=v': 'removed' },
      running: { 'start v': 'already', 'stop v': 'removed', 'stop v --discard --label l': 3, 'revert v@1': 3 },
      'after a restart': { 'start v': 'started', 'stop v': 'removed', 'start v --on-dirty refuse': 'started' },
      held: { 'start v': 'already', 'stop v': 4, 'remove v --confirm=v': 4, 'import v -': 3 },
      outdated: { 'start v': 'already', 'stop v': 'removed', 'import v --begin --size 512': 3 },
      'without its source': { 'start v': 'already', 'stop v': 'removed', 'remove v --confirm=v': 'removed' },
    },
    'read-only snapshot': {
      stopped: { 'start v': 'started', 'stop v': 'already', 'start v --prepare': 3, 'start v --reserve 2T': 'started' },
      running: { 'start v': 'already', 'stop v': 'removed', 'revert v': 3, 'import v -': 3 },
      'after a restart': { 'start v': 'already', 'stop v': 'removed' },
      held: { 'start v': 'already', 'stop v': 4, 'remove v --confirm=v': 4 },
      outdated: { 'start v': 'started', 'stop v': 'removed' },
      'without its source': { 'start v': 3, 'stop v': 'removed', 'remove v --confirm=v': 'removed' },
    },
    volatile: {
      stopped: { 'start v': 'started', 'start v --prepare': 3, 'start v --reserve 2T': 3, 'stop v': 'already' },
      running: { 'start v': 'already', 'stop v': 'removed', 'stop v --discard --label l': 3, 'revert v@1': 3 },
      'after a restart': { 'start v': 'started', 'stop v': 'removed' },
      held: { 'start v': 'already', 'stop v': 4, 'remove v --confirm=v': 4, 'import v -': 3 },
    },
    'read-only saved': {
      stopped: { 'start v': 'started', 'stop v': 'already', 'start v --prepare': 3, 'import v -': 'imported' },
      running: { 'start v': 'started', 'stop v': 'already', 'stop v --discard': 'already', 'revert v': 3 },
    },
  };
  const rows = Object.entries(tables).flatMap(([kind, table]) =>
    Object.entries(table).flatMap(([state, verbs]) =>
      Object.entries(verbs).map(([line, expected]) => [kind, state, line, expected] as const),
    ),
  );
  it.each(rows)('%s, %s: %s: %s', async (kind, state, line, expected) => {
    const [history = [], file = ''] = kinds[kind] ?? [];
    const disk = await poolOf(...base, ...history);
    await states[state]?.(disk, file);
    await row(disk, line, expected);
  });
});

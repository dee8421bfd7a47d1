import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, go, poolOf } from './pool-of.ts';
import { say } from './said.ts';

/** a/x and a/y with two former states each, a snapshot of a/x below the same prefix, and b. */
async function volumes(): Promise<Disk> {
  const disk = await poolOf('create b --size 512', 'create a/x --size 512 --policy count=5');
  await go(disk, 'create a/y --size 512 --policy count=5', 'create a/s --kind snapshot --source a/x');
  for (const content of ['1', '2'])
    for (const name of ['a/x', 'a/y']) {
      await go(disk, `start ${name}`);
      disk.scribble(`/pool/${name}-dirty.img`, content);
      await go(disk, `stop ${name}`);
    }
  return disk;
}

const lines = (...records: object[]) => records.map((record) => JSON.stringify(record)).join('\n');

describe('a lone - reads from stdin', () => {
  it.each([
    ['bare names', 'a/x\n\n  a/y  \n'],
    ['volumes', lines({ kind: 'Volume', volume: 'a/x' }, { kind: 'Volume', metadata: { name: 'a/y' } })],
    ['sessions', lines({ kind: 'Session', volume: 'a/x', path: '/p' }, { kind: 'Session', volume: 'a/y' })],
    ['revisions', lines({ kind: 'Revision', volume: 'a/x', ref: 'a/x@1' }, { kind: 'Revision', volume: 'a/y' })],
    [
      'both kinds of line, and records of others',
      `a/x\n${lines({ kind: 'Pool', path: '/p' }, { kind: 'Failure' })}\na/y`,
    ],
  ])('%s: start and stop', async (_, stdin) => {
    const disk = await volumes();
    expect((await say(disk, 'start -', { stdin })).records).toMatchObject([{ volume: 'a/x' }, { volume: 'a/y' }]);
    expect((await say(disk, 'stop -', { stdin })).names).toEqual(['a/x', 'a/y']);
  });

  it('the very states that records name: show, revert and remove', async () => {
    const disk = await volumes();
    const { records } = await say(disk, 'list --revisions');
    const first = records.filter(({ number }) => number === 1);
    const stdin = lines(...(first as object[]));
    expect((await say(disk, 'show -', { stdin })).names).toEqual(['a/x@1', 'a/y@1']);
    expect((await say(disk, 'revert -', { stdin })).records).toMatchObject([
      { volume: 'a/x', to: 1, outcome: 'reverted' },
      { volume: 'a/y', to: 1, outcome: 'reverted' },
    ]);
    const gone = await say(disk, 'remove - --confirm=a/x@1 --confirm=a/y@1', { stdin });
    expect(gone.records).toMatchObject([{ ref: 'a/x@1', outcome: 'removed' }, { ref: 'a/y@1' }]);
  });

  it('the two states of a diff', async () => {
    const disk = await volumes();
    const said = await say(disk, 'diff - --align 4K', { stdin: 'a/x@1\na/x@2\n' });
    expect(said.records).toMatchObject([{ from: { ref: 'a/x@1' }, to: { ref: 'a/x@2' }, complete: true }]);
    expect((await say(disk, 'diff -', { stdin: 'a/x@1\na/x@2\na/x' })).code).toBe(2);
    expect((await say(disk, 'diff -', { stdin: '' })).code).toBe(2);
  });

  it('nothing, and then does nothing', async () => {
    const disk = await volumes();
    for (const line of ['start -', 'stop -', 'show -', 'revert -', 'remove -'])
      expect(await changesOf(disk, line, { stdin: '\n' })).toMatchObject({ code: 0, changes: [], records: [] });
  });

  it.each(['start -', 'stop -', 'show -', 'revert -', 'remove -', 'diff -'])(
    'what is no record ends %s',
    async (line) => {
      const disk = await volumes();
      expect(await changesOf(disk, line, { stdin: 'a/x\n{"kind":' })).toMatchObject({ code: 2, changes: [] });
      expect(await changesOf(disk, line, { stdin: 'a/x@007' })).toMatchObject({ code: 2, changes: [] });
    },
  );
});

describe('a prefix', () => {
  it('means the saved volumes below it', async () => {
    const disk = await volumes();
    expect((await say(disk, 'show a/')).names).toEqual(['a/x', 'a/y']);
    expect((await say(disk, 'start a/')).records.map(({ volume }) => volume)).toEqual(['a/x', 'a/y']);
    expect((await say(disk, 'stop a/ b')).names).toEqual(['a/x', 'a/y', 'b']);
    expect((await say(disk, 'revert a/')).names).toEqual(['a/x', 'a/y']);
  });

  it('removes nothing whose own name was not said', async () => {
    const disk = await volumes();
    expect(await changesOf(disk, 'remove a/ --confirm=a/')).toMatchObject({ code: 3, changes: [] });
    const said = await say(disk, 'remove a/ --confirm=a/y');
    expect([said.code, said.records.filter(({ kind }) => kind === 'Removal')]).toMatchObject([7, [{ ref: 'a/y' }]]);
  });

  it.each(['start c/', 'stop c/', 'show c/', 'revert c/', 'remove c/'])(
    'without a volume is refused: %s',
    async (line) => {
      const said = await changesOf(await volumes(), line);
      expect([said.code, said.failure?.message, said.changes]).toEqual([3, 'there is no saved volume below c/', []]);
    },
  );
});

describe('several words', () => {
  const rows: [line: string, code: number, done: string[]][] = [
    ['start a/x nope', 7, ['/pool/a/x-dirty.img']],
    ['start nope nix', 3, []],
    ['stop nope b', 7, ['b']],
    ['stop nope nix', 3, []],
    ['show nope a/x@1', 7, ['a/x@1']],
    ['show nope nix', 3, []],
    ['revert a/x@1 a/y@9', 7, ['a/x']],
    ['revert a/x@9 a/y@9', 3, []],
    ['remove a/x@1 a/y@1 --confirm=a/x@1', 7, ['a/x@1']],
    ['remove a/x a/y', 3, []],
    ['start a/x ../x', 2, []],
    ['show a/x a/x@Head', 2, []],
  ];
  it.each(rows)('%s', async (line, code, done) => {
    const said = await say(await volumes(), line);
    expect([said.code, said.names]).toEqual([code, done]);
    const failures = said.records.filter(({ kind }) => kind === 'Failure');
    expect(failures).toHaveLength(code === 2 ? 0 : 2 - done.length);
  });

  it('that fail in different ways are partial, also when none went well', async () => {
    const disk = await volumes();
    await go(disk, 'import a/x --begin --size 512');
    expect((await say(disk, 'start a/x nope')).code).toBe(7);
  });
});

describe('a reference', () => {
  it('by number, label, set, head and latest', async () => {
    const disk = await volumes();
    await go(disk, 'label a/x@1 first');
    const path = '/pool/.platter/volumes/a%2Fx.json';
    const file = JSON.parse(disk.content(path) ?? '');
    file.revisions[1].set = 'nightly';
    disk.scribble(path, JSON.stringify(file));
    for (const [word, ref] of [
      ['a/x@2', 'a/x@2'],
      ['a/x@first', 'a/x@1'],
      ['a/x@nightly', 'a/x@1'],
      ['a/x@latest', 'a/x@2'],
      ['a/x@head', 'a/x@head'],
    ])
      expect([word, (await say(disk, `show ${word}`)).names]).toEqual([word, [ref]]);
    await go(disk, 'label a/x@2 nightly');
    expect((await say(disk, 'show a/x@nightly')).names).toEqual(['a/x@2']);
  });

  it('latest is neither a name of the head nor a state that never was it', async () => {
    const disk = await volumes();
    await go(disk, 'label a/x@head now', 'start a/x');
    disk.scribble('/pool/a/x-dirty.img', '3');
    await go(disk, 'stop a/x --discard --label aside');
    expect((await say(disk, 'list --revisions')).names).toEqual(['a/x@1', 'a/x@2', 'a/x@3', 'a/x@4', 'a/y@1', 'a/y@2']);
    expect((await say(disk, 'show a/x@latest')).names).toEqual(['a/x@2']);
  });

  const hints: [line: string, hint: string][] = [
    ['show a/z', 'a/s, a/x, a/y'],
    ['revert a/x@13', 'a/x@1, a/x@2, a/x@first'],
    ['revert b@1', 'b@head is all there is'],
    ['revert --set nightly', 'reflink-pool list --sets'],
    ['show a/x@fist', 'a/x@first, a/x@1, a/x@2'],
  ];
  it.each(hints)('that means nothing names the nearest ones: %s', async (line, hint) => {
    const disk = await volumes();
    await go(disk, 'label a/x@1 first');
    const said = await changesOf(disk, line);
    expect([said.code, said.changes]).toEqual([3, []]);
    expect(said.failure?.hint).toBe(hint);
  });
});

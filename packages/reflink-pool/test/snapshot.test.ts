import type { Output } from '@platter/host/door';
import { Failure, Interrupted } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import { worst } from '../src/snapshotting.ts';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, work } from './pool-of.ts';
import { say } from './said.ts';

const made = 'create v --size 512';
const written = [made, 'start v', 'write x'];
const first = '/pool/v.img.1@2026-11-20T08:00:00Z';
const second = '/pool/v.img.2@2026-11-20T08:00:01Z';
const saveHead = [`ln -T -- ${head} ${first}`, 'sync -- /pool'];
const put = (name = 'v') => [
  `install -m 0600 /dev/null '/pool/.platter/volumes/${name}.json~'`,
  `mv -T -- '/pool/.platter/volumes/${name}.json~' /pool/.platter/volumes/${name}.json`,
  'sync -- /pool/.platter/volumes',
];
const intent = (name: string) => [
  `install -m 0600 /dev/null '/pool/.platter/sets/${name}.intent~'`,
  `mv -T -- '/pool/.platter/sets/${name}.intent~' /pool/.platter/sets/${name}.intent`,
  'sync -- /pool/.platter/sets',
];
const clone = (name = 'v') =>
  `cp --reflink=always --preserve=timestamps -- /pool/${name}-dirty.img '/pool/${name}.img~'`;
const sealed = (name = 'v') => [`chmod 0400 -- '/pool/${name}.img~'`, `sync -- '/pool/${name}.img~'`];
const named = (to: string, name = 'v') => [
  `ln -T -- '/pool/${name}.img~' ${to}`,
  `rm -f -- '/pool/${name}.img~'`,
  'sync -- /pool',
];
const ask = (what: string, names: string) => `timeout -k 1 15 /hook ${what} ${names}`;
const answer = (code: number | null, stderr = ''): Output => ({ code, stdout: '', stderr, report: '' });

/** A hook whose calls answer one after the other, the last one for ever. */
async function hook(disk: Disk, answers: { freeze?: Output[]; thaw?: (Output | Error)[] }, names = 'v'): Promise<void> {
  await disk.change({ op: 'write', path: '/hook', data: '#!', mode: 0o755, exclusive: true });
  for (const what of ['freeze', 'thaw'] as const) {
    const left = [...(answers[what] ?? [answer(0)])];
    disk.facts.set(ask(what, names), () => {
      const next = left.length > 1 ? left.shift() : left[0];
      if (next instanceof Error) throw next;
      return next;
    });
  }
}

/** A cp that ends as said, having made its file. */
function breakCp(disk: Disk, error: Error): void {
  const door = disk.change.bind(disk);
  disk.change = async (change) => {
    const done = await door(change);
    if (change.op === 'copy') throw error;
    return done;
  };
}

const paths = (disk: Disk) => [...disk.names.keys()].filter((path) => !path.includes('/locks/')).sort();

describe('the changes of a snapshot', () => {
  it('of a stopped volume: a name for the head, and a PUT only for what there is to note', async () => {
    const disk = await poolOf(made);
    const { changes, records } = await changesOf(disk, 'snapshot v');
    expect(changes).toEqual(saveHead);
    expect(records).toMatchObject([{ kind: 'Snapshot', number: 1, outcome: 'created', pauseMs: null, mappings: null }]);
    expect(await changesOf(disk, 'snapshot v')).toMatchObject({ changes: [], records: [{ outcome: 'already' }] });
    expect((await changesOf(disk, 'snapshot v --label a')).changes).toEqual(put());
    expect(await changesOf(disk, 'snapshot v --label a')).toMatchObject({ changes: [], records: [{ number: 1 }] });
  });

  it('of a head whose name says something else: a further name', async () => {
    const disk = await poolOf(made, 'snapshot v --label a');
    const link = [`ln -T -- ${head} /pool/v.img.2@2026-11-20T08:00:00Z`, 'sync -- /pool'];
    expect((await changesOf(disk, 'snapshot v --label b')).changes).toEqual([...link, ...put()]);
    expect((await say(disk, 'show v@a')).records).toMatchObject([{ number: 1, label: 'a' }]);
    expect((await say(disk, 'show v@b')).records).toMatchObject([{ number: 2, label: 'b', twin: true, side: false }]);
    const again = await changesOf(disk, 'snapshot v --label a');
    expect(again).toMatchObject({ changes: [], records: [{ outcome: 'already', number: 1 }] });
    await go(disk, 'snapshot v --expires 1d');
    expect((await say(disk, 'show v@b')).records).toMatchObject([{ label: 'b', expiresAt: null }]);
    expect((await say(disk, 'show v@3')).records).toMatchObject([{ label: null, expiresAt: '2026-11-21T12:00:00Z' }]);
  });

  it('of a started volume: flushed, cloned, the head named first, noted, named', async () => {
    const disk = await poolOf(...written);
    const { changes, records } = await changesOf(disk, 'snapshot v --label l-@ --expires 1d --pin me');
    expect(changes).toEqual([`sync -- ${work}`, clone(), ...sealed(), ...saveHead, ...put(), ...named(second)]);
    expect(records).toMatchObject([
      {
        number: 2,
        outcome: 'created',
        consistency: 'crash',
        mappings: 1,
        predictedMs: 0.04,
        pauseMs: expect.any(Number),
      },
    ]);
    const marks = { label: 'l-20261120-120000', expiresAt: '2026-11-21T12:00:00Z', pins: ['me'] };
    expect((await say(disk, 'show v@2')).records).toMatchObject([{ side: true, consistency: 'crash', ...marks }]);
    expect([disk.content(second), disk.content(head), disk.names.get(second)?.mode]).toEqual(['x', '', 0o400]);
    expect(paths(disk).filter((path) => path.includes('~'))).toEqual([]);
  });

  it('of a started volume again: the head is named already', async () => {
    const disk = await poolOf(...written, 'snapshot v', 'write y');
    const { changes } = await changesOf(disk, 'snapshot v');
    expect(changes.filter((one) => one.startsWith('ln '))).toEqual([
      "ln -T -- '/pool/v.img~' /pool/v.img.3@2026-11-20T08:00:02Z",
    ]);
    const said = await go(disk, 'stop v');
    expect(said?.records).toMatchObject([{ outcome: 'committed', savedAs: 1 }]);
  });

  it('of a volume whose head is lost: what is written gets a number all the same', async () => {
    const disk = await poolOf(...written);
    disk.names.delete(head);
    expect(await changesOf(disk, 'snapshot v')).toMatchObject({ code: 0, records: [{ number: 1 }] });
    expect((await say(disk, 'show v@1')).records).toMatchObject([{ side: true, twin: false }]);
  });

  it('with a hook: nothing but the clones between freeze and thaw', async () => {
    const disk = await poolOf(...written);
    await hook(disk, {});
    const { changes, records } = await changesOf(disk, 'snapshot v --hook /hook');
    expect(changes.slice(0, 4)).toEqual([`sync -- ${work}`, ask('freeze', 'v'), clone(), ask('thaw', 'v')]);
    expect(records).toMatchObject([{ consistency: 'frozen' }]);
    expect((await say(disk, 'show v@2')).records).toMatchObject([{ consistency: 'frozen' }]);
    await go(disk, 'stop v', 'snapshot v --hook /hook');
  });
});

describe('--if-changed', () => {
  it('names nothing that has a name', async () => {
    const disk = await poolOf(made, 'start v');
    const idle = await changesOf(disk, 'snapshot v --if-changed');
    expect(idle).toMatchObject({ changes: [], names: ['v@head'], records: [{ outcome: 'already', number: null }] });
    disk.scribble(work, 'x');
    expect(await changesOf(disk, 'snapshot v --if-changed --set s')).toMatchObject({ names: ['v@2'] });
    const again = await changesOf(disk, 'snapshot v --if-changed');
    expect(again).toMatchObject({ changes: [], names: ['v@2'], records: [{ outcome: 'already', set: 's' }] });
    disk.scribble(work, 'y');
    expect(await changesOf(disk, 'snapshot v --if-changed')).toMatchObject({ names: ['v@3'] });
  });

  it('compares with what was taken since the start, not with what was put aside before', async () => {
    const disk = await poolOf(...written, 'stop v --discard --label broken', 'start v');
    expect((await changesOf(disk, 'snapshot v --if-changed')).changes).toEqual([]);
  });

  it('does not trust the mtime of what outlived a restart', async () => {
    const disk = await poolOf(made, 'start v');
    disk.boot = 'boot-2';
    expect((await changesOf(disk, 'snapshot v --if-changed')).records).toMatchObject([{ outcome: 'created' }]);
  });

  it('makes no set when none of its members has changed', async () => {
    const disk = await poolOf(made, 'start v', 'create w --size 512', 'snapshot w');
    expect(await changesOf(disk, 'snapshot v w --set s --if-changed')).toMatchObject({
      changes: [],
      names: ['v@head', 'w@1'],
    });
    disk.scribble(work, 'x');
    expect((await say(disk, 'snapshot v w --set s --if-changed')).names).toEqual(['v@2', 'w@2']);
  });
});

describe('a hook', () => {
  it('that does not freeze: nothing is cloned, and it is thawed', async () => {
    const disk = await poolOf(...written);
    const [before, temp] = [paths(disk), "rm -f -- '/pool/v.img~'"];
    await hook(disk, { freeze: [answer(1, 'guest agent: no')], thaw: [answer(1)] });
    const said = await changesOf(disk, 'snapshot v --hook /hook');
    expect([said.code, said.failure?.details]).toEqual([4, { said: 'guest agent: no' }]);
    expect(said.changes).toEqual([`sync -- ${work}`, ask('freeze', 'v'), ...Array(3).fill(ask('thaw', 'v')), temp]);
    expect(paths(disk).filter((path) => path !== '/hook')).toEqual(before);
  });

  it('thaws also when the clone fails, and the clone is swept', async () => {
    const disk = await poolOf(...written);
    await hook(disk, {});
    breakCp(disk, new Failure('failed', 'cp failed with exit 1', { details: { said: 'Input/output error' } }));
    const said = await changesOf(disk, 'snapshot v --hook /hook');
    expect([said.code, said.changes.slice(2)]).toEqual([1, [clone(), ask('thaw', 'v'), "rm -f -- '/pool/v.img~'"]]);
  });

  it('thaws also when a signal ends the clone, or comes while it thaws', async () => {
    for (const ends of ['clone', 'thaw']) {
      const disk = await poolOf(...written);
      await hook(disk, ends === 'thaw' ? { thaw: [new Interrupted(), answer(0)] } : {});
      if (ends === 'clone') breakCp(disk, new Interrupted());
      disk.changes.length = 0;
      await expect(say(disk, 'snapshot v --hook /hook')).rejects.toThrow(Interrupted);
      expect(disk.changes.filter((one) => one.includes('thaw'))).toHaveLength(ends === 'thaw' ? 2 : 1);
      expect(paths(disk).filter((path) => path.includes('~') || path.includes('.img.'))).toEqual([]);
    }
  });

  it('that thaws at the third try is no failure', async () => {
    const disk = await poolOf(...written);
    await hook(disk, { thaw: [answer(1, 'busy'), answer(124), answer(0)] });
    const said = await changesOf(disk, 'snapshot v --hook /hook');
    expect([said.code, said.notes]).toEqual([
      0,
      ['thawing v failed (1 of 3): busy', 'thawing v failed (2 of 3): it did not end within 15 s'],
    ]);
    expect(said.records).toMatchObject([{ outcome: 'created', consistency: 'frozen' }]);
  });

  it.each([
    ['after the clone', {}],
    ['after a freeze that was killed', { freeze: [answer(124)] }],
  ])('that never thaws, %s: that is said, and nothing is named', async (_when, freeze) => {
    const disk = await poolOf(...written);
    await hook(disk, { ...freeze, thaw: [answer(1)] });
    const said = await changesOf(disk, 'snapshot v --hook /hook');
    expect([said.code, said.failure?.message]).toEqual([1, 'v may still be frozen: /hook thaw failed 3 times']);
    expect(said.failure?.hint).toBe('/hook thaw v');
    expect(paths(disk).filter((path) => path.includes('~') || path.includes('.img.'))).toEqual([]);
  });
});

describe('--max-pause', () => {
  it('stops a clone that is not done in time', async () => {
    const disk = await poolOf(...written);
    await hook(disk, {});
    breakCp(disk, new Failure('failed', 'killed', { cause: { code: 'ETIMEDOUT' } }));
    const said = await changesOf(disk, 'snapshot v --max-pause 1m --hook /hook');
    expect([said.code, said.changes.slice(-2)]).toEqual([4, [ask('thaw', 'v'), "rm -f -- '/pool/v.img~'"]]);
  });

  it('counts all members of a set together', async () => {
    const disk = await poolOf(...written, 'create w --size 512', 'start w');
    await hook(disk, {}, 'v w');
    const line = 'snapshot v w --set s --hook /hook --max-pause';
    const said = await changesOf(disk, `${line} 79us`);
    expect([said.code, said.changes, said.failure?.details]).toEqual([
      3,
      [],
      { predicted: '0.08 ms', allowed: '0.079 ms' },
    ]);
    expect((await changesOf(disk, `${line} 1m`)).code).toBe(0);
  });
});

describe('a set', () => {
  it('is announced, cloned in one pause, noted, named, and published by one rename', async () => {
    const disk = await poolOf(...written, 'create w --size 512', 'start w');
    await hook(disk, {}, 'v w');
    const said = await changesOf(disk, 'snapshot w v --set n-@ --hook /hook --expires 1d');
    const name = 'n-20261120-120000';
    expect(said.changes).toEqual([
      ...intent(name),
      `sync -- ${work}`,
      'sync -- /pool/w-dirty.img',
      ask('freeze', 'v w'),
      clone('v'),
      clone('w'),
      ask('thaw', 'v w'),
      ...sealed('v'),
      ...sealed('w'),
      ...saveHead,
      ...put('v'),
      'ln -T -- /pool/w.img /pool/w.img.1@2026-11-20T08:00:01Z',
      'sync -- /pool',
      ...put('w'),
      ...named(second, 'v'),
      ...named('/pool/w.img.2@2026-11-20T08:00:01Z', 'w'),
      ...intent(name),
      `mv -T -- /pool/.platter/sets/${name}.intent /pool/.platter/sets/${name}.json`,
      'sync -- /pool/.platter/sets',
    ]);
    expect(said.texts).toEqual([expect.stringMatching(`^set ${name}  frozen  paused .* ms  until `), '  v@2  w@2']);
    expect([said.names, said.records[0]]).toMatchObject([
      ['v@2', 'w@2'],
      { kind: 'Set', metadata: { name }, consistency: 'frozen', expiresAt: '2026-11-21T12:00:00Z' },
    ]);
    expect((await say(disk, 'list --sets')).records).toMatchObject([said.records[0]]);
    expect((await say(disk, `show w@${name}`)).records).toMatchObject([{ number: 2, set: name, side: true }]);
  });

  it('has stopped members under a name of its own, and the worst consistency', async () => {
    const disk = await poolOf(...written, 'create w --size 512', 'snapshot w --label mine');
    const said = await go(disk, 'snapshot v w --set s');
    expect(said?.records).toMatchObject([
      { kind: 'Set', consistency: 'crash' },
      { number: 2 },
      { number: 2, pauseMs: null },
    ]);
    expect((await say(disk, 'list --revisions')).records).toMatchObject([
      { ref: 'v@1', set: null },
      { ref: 'v@2', set: 's', side: true },
      { ref: 'w@1', label: 'mine', set: null },
      { ref: 'w@2', set: 's', side: false, twin: true },
    ]);
    expect((await go(disk, 'stop v', 'snapshot v w --set t'))?.records).toMatchObject([
      { kind: 'Set', consistency: null, pauseMs: null },
      { number: 3 },
      { number: 3 },
    ]);
    expect(worst([null, 'frozen', 'unclean', 'crash'])).toBe('unclean');
    expect(worst([null, 'frozen'])).toBe('frozen');
  });

  it('is whole or absent after the next verb, killed at any change', async () => {
    const history = [...written, 'create w --size 512', 'start w', 'create s --size 512'];
    const whole = ['s@1', 'v@2', 'w@2'];
    for (let n = 1; ; n += 1) {
      const disk = await poolOf(...history);
      await hook(disk, {}, 'v w');
      disk.killAt(n);
      const died = await say(disk, 'snapshot v w s --set all --hook /hook').then(
        () => false,
        () => true,
      );
      disk.revive();
      const seen = (await say(disk, 'list --revisions')).names.filter((name) => whole.includes(name));
      await go(disk, 'pin v');
      const sets = (await say(disk, 'list --sets')).names;
      const left = (await say(disk, 'list --revisions')).records.filter(({ set }) => set !== null);
      expect({ n, seen, members: left.map(({ ref }) => ref) }).toEqual(
        sets.length > 0 ? { n, seen: whole, members: whole } : { n, seen: [], members: [] },
      );
      await go(disk, 'pin w', 'pin s', 'snapshot s --set other');
      expect(paths(disk).filter((path) => /~|intent/.test(path))).toEqual([]);
      if (!died) break;
    }
  });

  it('that cannot be finished is undone at once', async () => {
    const disk = await poolOf(...written, 'create w --size 512', 'start w');
    await hook(disk, {}, 'v w');
    const before = paths(disk);
    breakCp(disk, new Failure('failed', 'no'));
    expect((await changesOf(disk, 'snapshot v w --set s --hook /hook')).code).toBe(1);
    expect(paths(disk)).toEqual(before);
  });

  it('that is undone takes no state away which came to have such a number otherwise', async () => {
    const disk = await poolOf(...written, 'stop v', 'start v', 'write y', 'stop v');
    const data = JSON.stringify({ members: [{ volume: 'v', number: 2 }] });
    await disk.change({ op: 'write', path: '/pool/.platter/sets/old.intent', data, mode: 0o600, exclusive: true });
    await go(disk, 'pin v@2');
    expect(paths(disk).filter((path) => path.includes('sets/'))).toEqual([]);
  });
});

describe('is refused:', () => {
  const mode = (bits: number) => (disk: Disk) =>
    disk.change({ op: 'write', path: '/hook', data: '#!', mode: bits, exclusive: true });
  type Row = [what: string, line: string, code: number, message: RegExp, touch?: (disk: Disk) => unknown];
  const rows: Row[] = [
    ['a bad label', 'snapshot v --label Head', 2, /not a label/],
    ['a bad set name', 'snapshot v --set @', 2, /not a label/],
    ['a relative hook', 'snapshot v --hook hook', 2, /absolute/],
    ['a bad owner', 'snapshot v --pin a,b', 2, /not an owner/],
    ['a bad duration', 'snapshot v --max-pause 5', 2, /not a duration/],
    ['an expiry past all years', 'snapshot v --expires 200000000d', 2, /9999/],
    ['a hook that is not there', 'snapshot v --hook /hook', 3, /not there/],
    ['a hook that cannot be run', 'snapshot v --hook /hook', 3, /no executable.*0644/, mode(0o644)],
    ['a hook that others write', 'snapshot v --hook /hook', 3, /others may write.*0775/, mode(0o775)],
    ['a folder for a hook', 'snapshot v --hook /pool', 3, /no executable/],
    ['a snapshot volume', 'snapshot s', 3, /has no revisions/],
    ['a volume without head', 'snapshot b', 3, /no head/, (disk) => disk.names.delete('/pool/b.img')],
    ['a label that is taken', 'snapshot v --label taken', 3, /v@1/],
    ['a set that is there', 'snapshot b --set there', 3, /there is a set there already/],
    ['too long a pause', 'snapshot v --max-pause 30us', 3, /longer than --max-pause/],
    ['a set that would be skewed', 'snapshot v w --set t', 3, /nothing stops its members/],
  ];

  it.each(rows)('%s', async (_what, line, code, message, touch) => {
    const disk = await poolOf(
      ...[
        'create b --size 512',
        'start b',
        'stop b --always',
        'snapshot b --set there',
        made,
        'snapshot v --label taken',
      ],
      ...['start v', 'create w --size 512', 'start w', 'create s --kind snapshot --source v'],
    );
    await touch?.(disk);
    const before = paths(disk);
    const said = await changesOf(disk, line);
    expect([said.code, said.changes]).toEqual([code, []]);
    if (code !== 2) expect(said.failure?.message).toMatch(message);
    expect(paths(disk)).toEqual(before);
  });

  it('a started volume of a pool that copies', async () => {
    const disk = await poolOf(...written);
    const file = '/pool/.platter/pool.json';
    disk.scribble(file, (disk.content(file) ?? '').replace('"reflink"', '"copy"'));
    expect(await changesOf(disk, 'snapshot v')).toMatchObject({ code: 6, changes: [] });
    expect((await say(disk, 'stop v')).code).toBe(0);
    expect((await say(disk, 'snapshot v')).records).toMatchObject([{ outcome: 'created' }]);
  });

  it('nothing of a skewed set that is asked for', async () => {
    const disk = await poolOf(...written, 'create w --size 512', 'start w');
    expect((await say(disk, 'snapshot v w --set s --allow-skew')).records).toMatchObject([
      { consistency: 'crash' },
      {},
      {},
    ]);
  });
});

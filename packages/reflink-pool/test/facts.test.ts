import { describe, expect, it } from 'vitest';
import { binds, expiryOf, factsAbout, labelled, notesOf, pinned, released, sameNotes } from '../src/facts.ts';
import { checkOwner } from '../src/name.ts';
import { checkStamp, stamped } from '../src/stamp.ts';
import { referenceIn } from '../src/words.ts';
import { changesOf, go, poolOf } from './pool-of.ts';
import { say } from './said.ts';

const none = notesOf(null);
const at = Date.parse('2026-11-20T08:11:40Z');

describe('what is noted about a name', () => {
  it('counts only for the size and mtime it was noted for', () => {
    const facts = factsAbout({ size: 512, mtimeNs: 7n }, { label: 'x' });
    expect(facts).toEqual({ size: 512, mtimeNs: '7', side: false, label: 'x', pins: [], expiresAt: null, set: null });
    expect(binds(facts, { size: 512, mtimeNs: 7n })).toBe(true);
    expect(binds(facts, { size: 513, mtimeNs: 7n })).toBe(false);
    expect(binds(facts, { size: 512, mtimeNs: 8n })).toBe(false);
    expect(binds(undefined, { size: 512, mtimeNs: 7n })).toBe(false);
  });

  it('knows each owner once, in the order they came', () => {
    const both = pinned(pinned(pinned(none, 'a'), 'b'), 'a');
    expect(both.pins).toEqual(['a', 'b']);
    expect(released(both, 'a').pins).toEqual(['b']);
    expect(sameNotes(released(none, 'a'), none)).toBe(true);
  });

  it.each([{ side: true }, { label: 'x' }, { expiresAt: '2026-11-20T08:11:40Z' }, { set: 's' }, { pins: ['a'] }])(
    'is not the same with %o',
    (one) => {
      expect(sameNotes(none, { ...none, ...one })).toBe(false);
      expect(sameNotes({ ...none, ...one }, { ...none, ...one })).toBe(true);
    },
  );

  it('expires when its label says, or never', () => {
    const once = labelled(none, 'x', expiryOf(at, 86_400_000));
    expect(once).toMatchObject({ label: 'x', expiresAt: '2026-11-21T08:11:40Z' });
    expect(labelled(once, 'y', null)).toMatchObject({ label: 'y', expiresAt: null });
    expect(() => expiryOf(at, 2 ** 53)).toThrow('9999');
  });
});

describe('the words', () => {
  it('have the moment where @ stands', () => {
    expect(stamped('night-@', at)).toBe('night-20261120-081140');
    expect(checkStamp('night-@')).toBe('night-@');
    for (const bad of ['@', '@-x', 'Night-@', 'head', `${'n'.repeat(60)}@`]) expect(() => checkStamp(bad)).toThrow();
  });

  it('name owners by a rule', () => {
    for (const good of ['backup-chain', 'user', 'ops@example.org', 'a/b:c']) expect(checkOwner(good)).toBe(good);
    for (const bad of ['', ' ', '-x', 'a b', 'a,b', 'x'.repeat(64)]) expect(() => checkOwner(bad)).toThrow();
  });

  it('mean the revision that a record is about, else its volume', () => {
    expect(referenceIn({ kind: 'Revision', volume: 'v', ref: 'v@3', number: 3 })).toBe('v@3');
    expect(referenceIn({ kind: 'Snapshot', volume: 'v', number: 4 })).toBe('v@4');
    expect(referenceIn({ kind: 'Volume', volume: 'v' })).toBe('v');
    expect(referenceIn({ kind: 'Set', metadata: { name: 's' } })).toBeUndefined();
  });
});

const first = '/pool/v.img.1@2026-11-20T08:00:00Z';
const put = [
  "install -m 0600 /dev/null '/pool/.platter/volumes/v.json~'",
  "mv -T -- '/pool/.platter/volumes/v.json~' /pool/.platter/volumes/v.json",
  'sync -- /pool/.platter/volumes',
];
const saveHead = [`ln -T -- /pool/v.img ${first}`, 'sync -- /pool'];
const made = 'create v --size 512';
const committed = [made, 'start v', 'write x', 'stop v'];

describe('the changes of', () => {
  it('a label or a pin: one PUT; the same again: nothing', async () => {
    const disk = await poolOf(...committed);
    for (const line of [
      'label v@1 good',
      'pin v@1',
      'pin v@good --owner b',
      'pin v@1 --release',
      'label v@1 --clear',
    ]) {
      expect({ line, ...(await changesOf(disk, line)) }).toMatchObject({ line, code: 0, changes: put });
      if (!line.includes('clear')) expect((await changesOf(disk, line)).changes).toEqual([]);
    }
    expect((await say(disk, 'show v@1')).records).toMatchObject([{ label: null, pins: ['b'] }]);
    expect((await go(disk, 'label v@1 at-@'))?.records).toMatchObject([{ label: 'at-20261120-120000' }]);
  });

  it('the same of a head: a number first, unless it has one', async () => {
    const disk = await poolOf(made);
    expect((await changesOf(disk, 'pin v --release')).changes).toEqual([]);
    expect((await changesOf(disk, 'pin v')).changes).toEqual([...saveHead, ...put]);
    const { changes, records } = await changesOf(disk, 'label v@head good --expires 1d');
    expect(changes).toEqual(put);
    expect(records).toMatchObject([
      { ref: 'v@1', twin: true, label: 'good', pins: ['user'], expiresAt: '2026-11-21T12:00:00Z' },
    ]);
  });

  it('a SAVE-HEAD whose number a crash left noted for the same bytes: that is forgotten first', async () => {
    const disk = await poolOf(made, 'start v');
    disk.killAt(8);
    await expect(say(disk, 'stop v --discard --label broken')).rejects.toThrow();
    disk.revive();
    await go(disk, 'stop v --always', 'start v', 'write x');
    const { changes } = await changesOf(disk, 'stop v');
    expect(changes.slice(2, 6)).toEqual([...put, 'ln -T -- /pool/v.img /pool/v.img.2@2026-11-20T08:00:00Z']);
    expect((await say(disk, 'show v@2')).records).toMatchObject([{ side: false, label: null }]);
  });
});

describe('pins', () => {
  it('are set for every record on stdin, each at the revision it says', async () => {
    const disk = await poolOf(...committed, 'create w --size 512');
    const { records } = await say(disk, 'list');
    const lines = records.map((record) => JSON.stringify(record)).join('\n');
    expect((await say(disk, 'pin - --owner audit', { stdin: lines })).names).toEqual(['v@2', 'w@1']);
    const snapshot = JSON.stringify({ kind: 'Snapshot', volume: 'v', number: 1 });
    expect((await say(disk, 'pin - --owner audit', { stdin: snapshot })).names).toEqual(['v@1']);
  });

  it('keep a revision from prune and remove until the last owner lets go', async () => {
    const disk = await poolOf('create v --size 512 --policy count=0,min=latest', ...committed.slice(1));
    await go(disk, 'pin v@1 --owner a', 'pin v@1 --owner b', 'start v', 'write y', 'stop v');
    await go(disk, 'pin v@1 --owner a --release');
    expect((await say(disk, 'remove v@1 --confirm=v@1')).failure?.details.by).toBe('v@1 by b');
    const said = await go(disk, 'pin v@1 --owner b --release', 'stop v');
    expect(said?.records).toMatchObject([{ pruned: [1] }]);
  });
});

describe('is refused:', () => {
  const rows: [line: string, code: number, message: RegExp][] = [
    ['label v@1', 2, /one of NAME and --clear/],
    ['label v@1 x --clear', 2, /one of/],
    ['label v@1 --clear --expires 1d', 2, /exclude/],
    ['label v@1 Head', 2, /not a label/],
    ['label v@1 latest', 2, /not a label/],
    ['pin v --owner a,b', 2, /not an owner/],
    ['label v@9 x', 3, /no revision v@9/],
    ['label w@1 x', 3, /no volume w/],
    ['label v@head taken', 3, /labelled taken: v@1/],
    ['pin s', 3, /snapshot volume and has no revisions/],
    ['label s@head x', 3, /has no revisions/],
  ];
  it.each(rows)('%s', async (line, code, message) => {
    const disk = await poolOf(...committed, 'label v@1 taken', 'create s --kind snapshot --source v');
    const said = await changesOf(disk, line);
    expect([said.code, said.changes]).toEqual([code, []]);
    if (code !== 2) expect(said.failure?.message).toMatch(message);
  });

  it('a head that is not there', async () => {
    const disk = await poolOf(...committed);
    disk.names.delete('/pool/v.img');
    expect(await changesOf(disk, 'pin v')).toMatchObject({ code: 3, changes: [] });
    expect((await say(disk, 'pin v@1')).code).toBe(0);
  });
});

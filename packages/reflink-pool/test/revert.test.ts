import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, work } from './pool-of.ts';
import { say } from './said.ts';

const sidecar = '/pool/.platter/volumes/v.json';
const written = ['create v --size 512 --policy count=3', 'start v', 'write x'];
const three = [...written, 'stop v', 'start v', 'write y', 'stop v', 'start v', 'write z'];

/** Another policy than the one that was in force at the last stop. */
function policy(disk: Disk, text: string): void {
  disk.scribble(sidecar, (disk.content(sidecar) ?? '').replace('count=3', text));
}

const revisions = async (disk: Disk) => (await say(disk, 'list --revisions')).records.map(({ number }) => number);

describe('a revert that throws away what was written', () => {
  it('prunes nothing, also when the policy would let its target go', async () => {
    const disk = await poolOf(...three);
    policy(disk, 'min=latest');
    const said = await changesOf(disk, 'revert v@1 --discard --confirm=v');
    expect([said.code, said.records]).toMatchObject([0, [{ to: 1, outcome: 'reverted' }]]);
    expect(await revisions(disk)).toEqual([1, 2, 3]);
    expect(said.changes.filter((line) => line.startsWith('rm '))).toEqual([`rm -f -- ${work}`]);
  });

  it('looks first whether there is a state to go to', async () => {
    const disk = await poolOf(...written);
    disk.names.delete(head);
    const said = await changesOf(disk, 'revert v@head --discard --confirm=v');
    expect([said.code, said.changes, disk.content(work)]).toEqual([3, [], 'x']);
  });

  it('leaves a working copy with a further name alone', async () => {
    const disk = await poolOf(...three);
    disk.names.set('/pool/other', disk.names.get(work) as never);
    const said = await changesOf(disk, 'revert v@1 --discard --confirm=v');
    expect([said.code, said.changes]).toEqual([3, []]);
  });
});

describe('a revert', () => {
  it('needs no head', async () => {
    const disk = await poolOf(...written, 'stop v');
    disk.names.delete(head);
    expect((await say(disk, 'show v')).records).toMatchObject([{ state: 'broken', path: null }]);
    const said = await go(disk, 'revert v@latest');
    expect(said?.records).toMatchObject([{ to: 1, savedAs: null, outcome: 'reverted' }]);
    expect((await say(disk, 'show v')).records).toMatchObject([{ state: 'stopped', path: head }]);
  });

  it('is undone by the line it prints', async () => {
    const disk = await poolOf(...three, 'stop v');
    const before = disk.content(head);
    const said = await say(disk, 'revert v@1');
    const [, undo = ''] = /reflink-pool (revert .*)$/.exec(said.texts.at(-1) ?? '') ?? [];
    expect(disk.content(head)).not.toBe(before);
    await go(disk, undo);
    expect(disk.content(head)).toBe(before);
  });

  it('and a commit after it: the state before is the one gone back to', async () => {
    const disk = await poolOf(...three, 'stop v', 'revert v@2');
    const gone = disk.content(head);
    await go(disk, 'start v', 'write w');
    const number = (await go(disk, 'stop v'))?.records[0]?.savedAs;
    const [state] = [...disk.names.keys()].filter((path) => path.startsWith(`${head}.${number}@`));
    expect(disk.content(state ?? '')).toBe(gone);
  });
});

import { describe, expect, it } from 'vitest';
import { changesOf, go, head, poolOf } from './pool-of.ts';
import { say } from './said.ts';

const made = 'create v --size 512';
const stdin = (letter: string) => ({ stdin: letter.repeat(512) });

describe('the flags of an import', () => {
  it.each([
    'import v',
    'import v f --begin --size 512',
    'import v --begin',
    'import v --begin --size 1000',
    'import v --begin --size 0',
    `import v --begin --size 512 --sha256 ${'0'.repeat(64)}`,
    'import v --begin --size 512 --share',
    'import v --commit t --abort t',
    'import v --commit t --size 512',
    'import v --commit t --create',
    'import v --commit t --live',
    'import v --abort t --format raw',
    'import v - --share',
    'import v - --copy',
    'import v - --live',
    'import v f --share --copy',
    'import v f --live --copy',
    'import v f --sha256 abc',
    'import v f --format qcow2',
  ])('that do not go together: %s', async (line) => {
    const disk = await poolOf(made);
    expect(await changesOf(disk, line)).toMatchObject({ code: 2, changes: [] });
  });
});

describe('an import', () => {
  it('writes, names the head, and replaces it, in this order', async () => {
    const disk = await poolOf(made);
    const { changes, records } = await changesOf(disk, 'import v -', stdin('a'));
    expect(changes.filter((line) => !line.startsWith('# pour'))).toEqual([
      "install -m 0600 /dev/null '/pool/v-import.img~'",
      "truncate -s 512 -- '/pool/v-import.img~'",
      "chmod 0400 -- '/pool/v-import.img~'",
      "sync -- '/pool/v-import.img~'",
      "install -m 0600 /dev/null '/pool/.platter/volumes/v.json~'",
      "mv -T -- '/pool/.platter/volumes/v.json~' /pool/.platter/volumes/v.json",
      'sync -- /pool/.platter/volumes',
      `ln -T -- ${head} ${head}.1@2026-11-20T08:00:00Z`,
      'sync -- /pool',
      `mv -T -- '/pool/v-import.img~' ${head}`,
      'sync -- /pool',
    ]);
    expect(records).toMatchObject([{ outcome: 'imported', savedAs: 1, method: 'stream', token: null, path: head }]);
  });

  it('of what the head holds already changes nothing that stays', async () => {
    const disk = await poolOf(made);
    await say(disk, 'import v -', stdin('a'));
    const before = [...disk.names];
    const { changes, records } = await changesOf(disk, 'import v -', stdin('a'));
    expect([records, changes.at(-1)]).toMatchObject([[{ outcome: 'unchanged' }], "rm -f -- '/pool/v-import.img~'"]);
    expect([...disk.names]).toEqual(before);
  });

  it('into a volume without history leaves no name of the state before', async () => {
    const disk = await poolOf('create v --size 512 --policy min=none');
    expect((await say(disk, 'import v -', stdin('a'))).records).toMatchObject([{ outcome: 'imported', savedAs: null }]);
    expect((await say(disk, 'list --revisions')).records).toEqual([]);
  });

  it('lets retention have its way, and says by its outcome nothing of it', async () => {
    const disk = await poolOf(made);
    for (const letter of ['a', 'b', 'c']) await say(disk, 'import v -', stdin(letter));
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@3']);
  });

  it('whose commit was killed after its rename is told as done', async () => {
    const disk = await poolOf(made);
    const token = (await go(disk, 'import v --begin --size 512'))?.records[0]?.token;
    disk.scribble('/pool/v-import.img', 'n');
    disk.killAt(7);
    await expect(say(disk, `import v --commit ${token} --format raw`)).rejects.toThrow();
    disk.revive();
    expect([disk.content(head), disk.names.has('/pool/v-import.img')]).toEqual(['n', false]);
    expect((await say(disk, `import v --commit ${token} --format raw`)).records).toMatchObject([
      { outcome: 'imported' },
    ]);
    expect((await say(disk, 'show v')).records).toMatchObject([{ importing: null }]);
  });

  it('whose file is gone is not told as done, though the head is as long', async () => {
    const disk = await poolOf(made);
    const later = { now: () => Date.parse('2026-11-20T13:00:00Z') };
    const { records } = await say(disk, 'import v --begin --size 512', later);
    disk.names.delete('/pool/v-import.img');
    expect(await changesOf(disk, `import v --commit ${records[0]?.token}`, later)).toMatchObject({
      code: 3,
      changes: [],
    });
  });
});

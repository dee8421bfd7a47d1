import { expect, it } from 'vitest';
import { needs } from '../ground/needs.ts';
import { told } from '../ground/run.ts';
import { type Cut, cutAtEachFlush, type Left } from './cut.ts';
import type { Shell } from './disk.ts';
import { contents, pool, resumed, started, words } from './pool.ts';

/** Milliseconds: a hung machine ends itself before, see power.ts. */
const patience = 700_000;
const all: Cut['on'] = ['xfs', 'btrfs', 'ext4'];

/** What a verb says of what is left; it must succeed. */
async function said(shell: Shell, { cut }: Left, verb: string): Promise<string> {
  const outcome = await shell(`${words}\nreflink-pool ${verb}`);
  if (outcome.code !== 0) throw new Error(`${cut}: ${told([verb], outcome)}`);
  return outcome.stdout;
}

const names = (shell: Shell, volume = 'vm/root') => contents(shell, `pool/${volume}.img*`);

/** The head is the old one or the new one, whole; the new one when the verb had ended. */
async function lookAtHead(shell: Shell, { cut, ended }: Left, [before, after]: readonly [string, string]) {
  const head = await contents(shell, 'pool/vm/root.img');
  expect(head, cut).toEqual([ended ? after : expect.toBeOneOf([before, after])]);
}

/** Nothing half made is left: no temporary, and nothing of a set that is not finished. */
async function clean(shell: Shell, { cut }: Left): Promise<void> {
  const { stdout } = await shell("find pool -name '*~????????' -o -name '*.intent' -o -name '*.revert'");
  expect(stdout, cut).toBe('');
}

const members = ['vm/root', 'vm/data'];
const nameSet = `reflink-pool snapshot ${members.join(' ')} --set nightly --allow-skew`;

/** The members of the set and their files; none when there is no such set. */
async function membersOf(shell: Shell, left: Left): Promise<{ volume: string; file: string }[]> {
  const listed = await said(shell, left, 'list --sets -o json');
  if (listed === '') return [];
  const set: { members: { volume: string; number: number }[] } = JSON.parse(listed);
  return set.members.map(({ volume, number }) => ({ volume, file: `pool/${volume}.img.${number}@*` }));
}

/** The set is whole or absent, and no head has moved; after one more run the set is there, of what its volumes hold then. */
const lookAtSet = (letter: string, source: string) => async (left: Left, shell: Shell) => {
  const found = await membersOf(shell, left);
  expect(found.length, left.cut).toBeOneOf(left.ended ? [2] : [0, 2]);
  for (const { file } of found) expect(await contents(shell, file), left.cut).toEqual([letter]);
  const again = await shell(`${words}\n${nameSet}`);
  expect(again, left.cut).toMatchObject({ code: found.length === 0 ? 0 : 3 });
  for (const { volume, file } of await membersOf(shell, left))
    expect(await shell(`cmp ${file} pool/${volume}${source}`), left.cut).toMatchObject({ code: 0 });
  expect(await membersOf(shell, left), left.cut).toHaveLength(2);
  expect(await contents(shell, 'pool/vm/root.img pool/vm/data.img'), left.cut).toEqual(['B', 'B']);
  for (const volume of members) expect(await names(shell, volume), left.cut).toContain('A');
  await clean(shell, left);
};

needs(
  'root',
  'vm',
  'xfs',
  'btrfs',
  'ext4',
)('a power cut leaves every head old or new, whole, and every state its name:', () => {
  it(
    'reflink-pool stop',
    async () => {
      const prepare = `${pool('vm/root')}${started('vm/root')}`;
      const begin = `${resumed}\noverwrite C vm/root`;
      await cutAtEachFlush({ on: all, prepare, begin, verb: 'reflink-pool stop vm/root' }, async (left, shell) => {
        await lookAtHead(shell, left, ['B', 'C']);
        expect(await names(shell), left.cut).toContain('B');
        const flushed =
          (await names(shell)).includes('C') || (await contents(shell, 'pool/vm/root-dirty.img')).includes('C');
        await said(shell, left, 'stop vm/root');
        expect(await names(shell), left.cut).toContain('B');
        await clean(shell, left);
        if (flushed) expect(await contents(shell, 'pool/vm/root.img'), left.cut).toEqual(['C']);
      });
    },
    patience,
  );

  it(
    'reflink-pool revert',
    async () => {
      const verb = 'reflink-pool revert vm/root@1';
      await cutAtEachFlush({ on: all, prepare: pool('vm/root'), begin: words, verb }, async (left, shell) => {
        await lookAtHead(shell, left, ['B', 'A']);
        expect(await names(shell), left.cut).toEqual(expect.arrayContaining(['A', 'B']));
        await said(shell, left, 'revert vm/root@1');
        expect(await names(shell), left.cut).toEqual(['A', 'A', 'B']);
        await clean(shell, left);
      });
    },
    patience,
  );

  it(
    'reflink-pool revert --set',
    async () => {
      const prepare = `${pool(...members)}
        reflink-pool snapshot ${members.join(' ')} --set nightly
        for each in ${members.join(' ')}; do reflink-pool import $each C --copy; done`;
      const verb = 'reflink-pool revert --set nightly';
      await cutAtEachFlush({ on: all, prepare, begin: words, verb }, async (left, shell) => {
        const heads = () => contents(shell, 'pool/vm/root.img pool/vm/data.img');
        for (const head of await heads()) expect(head, left.cut).toBeOneOf(left.ended ? ['B'] : ['B', 'C']);
        await said(shell, left, 'stop vm/data'); // any verb on a member
        expect(new Set(await heads()), left.cut).toHaveProperty('size', 1);
        await said(shell, left, 'revert --set nightly');
        expect(await heads(), left.cut).toEqual(['B', 'B']);
        for (const volume of members)
          expect(await names(shell, volume), left.cut).toEqual(expect.arrayContaining(['B', 'C']));
        await clean(shell, left);
      });
    },
    patience,
  );

  it(
    'reflink-pool snapshot --set, of started volumes',
    async () => {
      const prepare = `${pool(...members)}${started(...members)}`;
      const begin = `${resumed}\n${members.map((volume) => `overwrite C ${volume}`).join('\n')}`;
      await cutAtEachFlush({ on: ['xfs', 'btrfs'], prepare, begin, verb: nameSet }, lookAtSet('C', '-dirty.img'));
    },
    patience,
  );

  it(
    'reflink-pool snapshot --set, of stopped volumes',
    async () => {
      await cutAtEachFlush(
        { on: ['ext4'], prepare: pool(...members), begin: words, verb: nameSet },
        lookAtSet('B', '.img'),
      );
    },
    patience,
  );
});

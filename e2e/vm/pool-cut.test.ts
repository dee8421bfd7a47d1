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
});

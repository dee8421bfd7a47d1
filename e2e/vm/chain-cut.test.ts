import { expect, it } from 'vitest';
import { needs } from '../ground/needs.ts';
import { cutAtEachFlush } from './cut.ts';
import type { Shell } from './disk.ts';
import { pool, words } from './pool.ts';

const capture = 'backup-chain capture --repo backup -';
const prepare = `${pool('vm/root')}
  mkdir backup
  backup-chain init --repo backup
  reflink-pool list -o json | ${capture}
  reflink-pool start vm/root
  overwrite C vm/root
  reflink-pool stop vm/root
  reflink-pool diff vm/root@2 vm/root -o json >record`;

const points = async (shell: Shell) =>
  (await shell('backup-chain list --repo backup --points -o name')).stdout.trim().split('\n').length;

needs(
  'root',
  'vm',
  'xfs',
)('a power cut', () => {
  it('in backup-chain capture leaves a repository that validates, with the point or without; after its end with it', async () => {
    const verb = `${capture} <record`;
    await cutAtEachFlush({ on: ['xfs'], prepare, begin: words, verb }, async ({ cut, ended }, shell) => {
      const valid = async () =>
        expect(await shell('backup-chain validate --repo backup --level deep'), cut).toMatchObject({ code: 0 });
      await valid();
      expect(await points(shell), cut).toBeOneOf(ended ? [2] : [1, 2]);
      expect(await shell(verb), cut).toMatchObject({ code: 0 });
      await valid();
      expect(await points(shell), cut).toBe(2);
    });
  }, 700_000);
});

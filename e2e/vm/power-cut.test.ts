import { expect, it } from 'vitest';
import { needs } from '../ground/needs.ts';
import { cutAtEachMark, type Left, type Shell } from './cut.ts';

/** Milliseconds: a hung machine ends itself before, see power.ts. */
const patience = 700_000;

const volume = `
  mkdir pool
  reflink-pool init --pool pool --reserve 0
  image() { head -c 262144 /dev/zero | tr "\\0" $1; }
  image B >B
  image C >C
  reflink-pool import --pool pool vm/root B --create`;

const write = `
  reflink-pool start --pool pool vm/root
  dd if=C of=pool/vm/root-dirty.img conv=notrunc status=none`;

const lostPower = ({ at, code, unflushed }: Left) =>
  expect({ code, unflushed }).toEqual({ code: at === 'end' ? 0 : 137, unflushed: false });

/** What files hold, in order: B or C when they equal that image to the last byte, otherwise their name. */
async function contents(shell: Shell, files: string): Promise<string[]> {
  const equal = 'for each in B C; do cmp -s $each $file && echo $each && continue 2; done';
  return (await shell(`for file in ${files}; do ${equal}; echo $file; done`)).stdout.trim().split('\n');
}

needs(
  'root',
  'vm',
  'nbdkit',
  'xfs',
)('a power cut', () => {
  it(
    'in reflink-pool stop leaves the old head or the new one, whole; after its end the new one',
    async () => {
      const verb = 'reflink-pool stop --pool pool vm/root -v';
      await cutAtEachMark({ prepare: volume, begin: write, verb }, async (left, shell) => {
        lostPower(left);
        const heads = left.at === 'end' ? ['C'] : ['B', 'C'];
        expect(await contents(shell, 'pool/vm/root.img'), left.change).toEqual([expect.toBeOneOf(heads)]);
        expect(await contents(shell, 'pool/vm/root.img*'), left.change).toContain('B');
        expect(await shell('reflink-pool stop --pool pool vm/root'), left.change).toMatchObject({ code: 0 });
        expect(await contents(shell, 'pool/vm/root.img*'), left.change).toContain('B');
        if (left.change.includes('-dirty.img')) return; // what was written to the volume had never been flushed
        expect(await contents(shell, 'pool/vm/root.img'), left.change).toEqual(['C']);
      });
    },
    patience,
  );

  it(
    'in backup-chain capture leaves a repository that validates, with the point or without; after its end with it',
    async () => {
      const capture = 'backup-chain capture --repo backup -';
      const prepare = `${volume}
      mkdir backup
      backup-chain init --repo backup
      reflink-pool list --pool pool -o json | ${capture}
      ${write}
      reflink-pool stop --pool pool vm/root
      reflink-pool diff --pool pool vm/root@1 vm/root -o json >record`;
      const points = async (shell: Shell) =>
        (await shell('backup-chain list --repo backup --points -o name')).stdout.trim().split('\n').length;
      await cutAtEachMark({ prepare, begin: '', verb: `${capture} -v <record` }, async (left, shell) => {
        const valid = async () =>
          expect(await shell('backup-chain validate --repo backup --level deep'), left.change).toMatchObject({
            code: 0,
          });
        lostPower(left);
        await valid();
        expect(await points(shell), left.change).toBeOneOf(left.at === 'end' ? [2] : [1, 2]);
        expect(await shell(`${capture} <record`), left.change).toMatchObject({ code: 0 });
        await valid();
        expect(await points(shell), left.change).toBe(2);
      });
    },
    patience,
  );
});

import { expect, it } from 'vitest';
import { needs } from '../ground/needs.ts';
import { cutAtEachFlush } from './cut.ts';
import type { Shell } from './disk.ts';

/** A chain of one point that no set names, and one of four: the first unnamed, the second pinned, the third expired. */
const prepare = `
  export PLATTER_REPO=$PWD/backup
  mkdir backup
  backup-chain init
  for each in O A B C D; do
    head -c 262144 /dev/zero | tr "\\0" $each >$each
    full=; [ $each != A ] || full=--full
    backup-chain capture --vm db data=$each --format raw $full -o name >id-$each
  done
  rm $(tail -n 1 id-O | sed "s,.*@,backup/vms/default/db/sets/,;s,$,.json,")
  rm $(tail -n 1 id-A | sed "s,.*@,backup/vms/default/db/sets/,;s,$,.json,")
  backup-chain pin $(tail -n 1 id-B) --name audit`;

const verb = 'backup-chain prune --repo backup --keep-last 1 --fold always';

/** Both kept sets restore to what was captured. */
const kept = `
  for each in B D; do
    rm -f out
    backup-chain restore $(tail -n 1 id-$each) --disk data --repo backup --file --to out
    cmp out $each
  done
  rm out`;

const points = async (shell: Shell) =>
  (await shell('backup-chain list --repo backup --points --all -o name')).stdout.trim().split('\n');

needs(
  'root',
  'vm',
  'xfs',
)('a power cut', () => {
  it('in backup-chain prune leaves a repository that validates and both kept sets whole; the next run ends it', async () => {
    await cutAtEachFlush({ on: ['xfs'], prepare, begin: '', verb }, async ({ cut, ended }, shell) => {
      const valid = async (level: string) =>
        expect(await shell(`backup-chain validate --repo backup --level ${level}`), cut).toMatchObject({ code: 0 });
      await valid('deep');
      if (ended) expect(await points(shell), cut).toHaveLength(2);
      expect(await shell(verb), cut).toMatchObject({ code: 0 });
      await valid('fast');
      expect(await shell(kept), cut).toMatchObject({ code: 0 });
      expect(await points(shell), cut).toHaveLength(2);
      const data = await shell('ls backup/vms/default/db/disks/data/data/*.qcow2 | wc -l');
      expect(data.stdout.trim(), cut).toBe('2');
    });
  }, 1_200_000);
});

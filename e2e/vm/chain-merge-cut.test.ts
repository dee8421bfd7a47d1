import { expect, it } from 'vitest';
import { needs } from '../ground/needs.ts';
import { cutAtEachFlush } from './cut.ts';
import type { Shell } from './disk.ts';

/** Four points of a small disk, of which sets name the last two; the lines that merge and fold; what those two held. */
const prepare = `
  mkdir backup
  backup-chain init --repo backup
  capture() { backup-chain capture --repo backup --vm db data=disk.raw --format raw; }
  fill() { head -c $2 /dev/zero | tr "\\0" $1 | dd of=disk.raw bs=64K seek=$3 conv=notrunc status=none; }
  truncate -s 1M disk.raw
  fill A 524288 0; capture
  fill B 131072 1; capture
  rm backup/vms/default/db/sets/*.json
  fallocate -p -l 262144 disk.raw; fill C 65536 3; capture; cp disk.raw held-3
  fill D 65536 9; capture; cp disk.raw held-4
  set -- $(backup-chain list --repo backup --points --all -o name)
  echo backup-chain merge $2..\${3#*@} --repo backup >merge
  echo backup-chain merge $1..\${3#*@} --repo backup >fold
  echo $3 >named-3
  echo $4 >named-4`;

/** Every point that a set names gives the disk as it was then, and no file is damaged. */
const holds = `for n in 3 4; do
    backup-chain restore $(cat named-$n) --repo backup --file --to restored --verify full
    cmp restored held-$n
    rm restored
  done
  backup-chain validate --repo backup --level deep`;

const left = async (shell: Shell): Promise<number> => {
  const { stdout } = await shell('backup-chain list --repo backup --points --all -o name; find backup -name ".tmp-*"');
  return stdout.trim().split('\n').length;
};

needs(
  'root',
  'vm',
  'xfs',
)('a power cut', () => {
  it.each([
    ['merge', 'of increments', 3],
    ['fold', 'that folds the full', 2],
  ])(
    'in backup-chain merge, a %s %s, leaves every point that a set names as it was; run again it is done',
    async (name, _, points) => {
      const verb = `sh ${name}`;
      await cutAtEachFlush({ on: ['xfs'], prepare, begin: '', verb }, async ({ cut, ended }, shell) => {
        expect(await shell(holds), cut).toMatchObject({ code: 0 });
        if (ended) expect(await left(shell), cut).toBe(points);
        expect(await shell(verb), cut).toMatchObject({ code: 0 });
        expect(await shell(holds), cut).toMatchObject({ code: 0 });
        expect(await left(shell), cut).toBe(points);
      });
    },
    700_000,
  );
});

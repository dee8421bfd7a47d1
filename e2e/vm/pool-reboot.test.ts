import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../ground/folder.ts';
import { needs } from '../ground/needs.ts';
import { type Disk, format, onDisk } from './disk.ts';
import { boot, type Step } from './machine.ts';
import { contents, pool, words } from './pool.ts';

const volumes = ['resumed', 'committed', 'discarded', 'refused'].map((name) => `vm/${name}`);

const mounted = ({ mount }: Disk) => `
  mkdir -p ${mount}
  mount -t xfs /dev/vda ${mount}
  cd ${mount}
  ${words}`;

/** All volumes are started, and what is written to them is never stopped. */
const written = `
  reflink-pool start ${volumes.join(' ')}
  for each in ${volumes.join(' ')}; do overwrite C $each; done`;

const afterReboot = `
  step listed reflink-pool list -o json
  step resumed reflink-pool start vm/resumed -o json
  step stopped reflink-pool stop vm/resumed -o json
  step committed reflink-pool start vm/committed --on-dirty commit -o json
  step discarded reflink-pool start vm/discarded --on-dirty discard --confirm=vm/discarded -o json
  step refused reflink-pool start vm/refused --on-dirty refuse`;

const records = (step: Step | undefined): unknown[] =>
  (step?.stdout ?? '').split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));

needs(
  'root',
  'vm',
  'xfs',
)('a reboot while working copies are out', () => {
  it('leaves them unclean: they are resumed, committed as unclean without pruning, discarded or refused', async () => {
    await using folder = await tempFolder();
    const disk: Disk = { filesystem: 'xfs', image: join(folder.path, 'disk'), mount: join(folder.path, 'mnt') };
    await mkdir(disk.mount);
    await format(disk);
    await onDisk(disk, async (shell) => expect(await shell(pool(...volumes))).toMatchObject({ code: 0 }));

    await boot(`${mounted(disk)}${written}`, [disk.image]);
    const after = await boot(`${mounted(disk)}${afterReboot}`, [disk.image]);

    expect(records(after.listed).map((record) => (record as { state: string }).state)).toEqual(
      volumes.map(() => 'unclean'),
    );
    expect(records(after.resumed)).toMatchObject([{ outcome: 'resumed', unclean: true }]);
    const commit = { outcome: 'committed', unclean: true, savedAs: 2, pruned: [] };
    expect(records(after.stopped)).toMatchObject([commit]);
    for (const name of ['committed', 'discarded'])
      expect(records(after[name])).toMatchObject([{ outcome: 'started', unclean: false }]);
    expect(after.refused).toMatchObject({ code: 3, stdout: '' });

    await onDisk(disk, async (shell) => {
      const states = (volume: string) =>
        contents(shell, `$(ls pool/vm/${volume}.img* pool/vm/${volume}-dirty.img 2>/dev/null)`);
      expect(await states('resumed')).toEqual(['C', 'A', 'B']);
      expect(await states('committed')).toEqual(['C', 'C', 'A', 'B']);
      expect(await states('discarded')).toEqual(['B', 'B', 'A']);
      expect(await states('refused')).toEqual(['C', 'B', 'A']);
      for (const volume of ['resumed', 'committed']) {
        const { stdout } = await shell(`${words}\nreflink-pool show vm/${volume}@head -o json`);
        expect(JSON.parse(stdout)).toMatchObject({ consistency: 'unclean' });
      }
    });
  }, 700_000);
});

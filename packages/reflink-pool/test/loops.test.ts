import type { Query } from '@platter/host/door';
import { expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { poolOf } from './pool-of.ts';
import { say } from './said.ts';

const backing = '/sys/block/loop7/loop/backing_file';

/** A volume that was written, beside a loop device that losetup does not see over a file of the same name elsewhere. */
async function beside(): Promise<Disk> {
  const disk = await poolOf('create v --size 512', 'start v', 'write x');
  disk.facts.set('/sys/block', [{ name: 'loop7', kind: 'dir' }]).set(backing, '/elsewhere/v-dirty.img\n');
  disk.facts.set('losetup', '');
  return disk;
}

it('a loop device that losetup cannot see counts by the name of its file, while it is there', async () => {
  const disk = await beside();
  expect((await say(disk, 'stop v')).failure).toMatchObject({
    kind: 'busy',
    details: { by: 'perhaps loop device /dev/loop7 (losetup cannot tell from here)' },
  });
});

it('a loop device that is detached while we look holds nothing', async () => {
  const disk = await beside();
  const door = disk.query.bind(disk);
  disk.query = (query: Query) => {
    if (query.op === 'run' && query.program === 'losetup') disk.facts.delete(backing);
    return door(query);
  };
  expect(await say(disk, 'stop v')).toMatchObject({ code: 0, records: [{ outcome: 'committed' }] });
});

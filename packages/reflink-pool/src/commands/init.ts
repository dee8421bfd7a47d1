import { choice, given, on, size } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { init } from '../init.ts';
import { poolRecord } from '../look.ts';
import { poolDirectory, poolFlag } from '../pool.ts';
import { poolText } from '../shown/look.ts';

export default verb({
  about: 'Make a directory a pool of disk images; again is no harm.',
  words: [],
  flags: {
    'allow-copy': on('also where files cannot share extents: a start then copies all bytes'),
    reserve: given({ ...size, default: '1G', help: 'free space a start needs' }),
    prepare: given({ ...choice('auto', 'never'), default: 'auto', help: 'make the copy for the next start at a stop' }),
    ...poolFlag,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool init --pool /srv/vms', 'makes /srv/vms a pool'],
    ['PLATTER_POOL=/srv/vms reflink-pool init --reserve 8G', 'keeps 8 GiB free'],
    ['reflink-pool init --pool /data --allow-copy', 'also on ext4: commits, reverts and clones stay instant'],
  ],
  run: async (call) => {
    const { 'allow-copy': allowCopy, reserve, prepare } = call.flags;
    const { pool, already } = await init(call, poolDirectory(call), { allowCopy, reserve, prepare });
    const record = await poolRecord(pool);
    await call.emit(
      { ...record, outcome: already ? 'already' : 'created' },
      { text: `${poolText(record)}${already ? '  already' : ''}`, name: pool.path },
    );
  },
});

import { resolve } from 'node:path';
import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import { lockFlags, openPool, poolDirectory } from '../pool.ts';
import { probed, saveCost } from '../probing.ts';
import { probeText } from '../shown/space.ts';

export default verb({
  about: "Try what a pool needs on a directory's filesystem: clones, links, and what a clone costs.",
  words: [{ name: 'DIR', optional: true }],
  flags: {
    calibrate: on('measure what a clone costs, with 64 MiB of files that go again'),
    save: on('with --calibrate: note it in the pool, for predictions'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool probe /srv', 'whether a pool can be there'],
    ['reflink-pool probe /srv --calibrate', 'and how long a clone takes'],
    ['PLATTER_POOL=/srv/vms reflink-pool probe --calibrate --save', "makes the pool's predictions its own"],
  ],
  run: async (call) => {
    const { calibrate, save } = call.flags;
    if (save && !calibrate) throw new Invalid('--save belongs to --calibrate');
    const [word] = call.words;
    const path = word === undefined ? poolDirectory(call) : resolve(call.cwd, word);
    const pool = save ? await openPool({ ...call, flags: { ...call.flags, pool: path } }) : null;
    const found = await probed(call, path, calibrate);
    const { baseUs, usPerMapping, fsType } = found;
    if (pool !== null && baseUs !== null && usPerMapping !== null)
      await saveCost(pool, { baseUs, usPerMapping, fsType });
    const record = { ...found, saved: pool !== null && baseUs !== null };
    await call.emit(record, { text: call.host.dry ? [] : probeText(record), name: path });
    if (record.reflink) return;
    throw new Failure('unsupported', `${path} cannot share extents between files`, {
      hint: 'XFS or btrfs; or init --allow-copy, where a start copies all bytes',
    });
  },
});

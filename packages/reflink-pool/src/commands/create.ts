import { choice, given, on, optional, size } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { checkNew, create } from '../create.ts';
import { volumeRecord } from '../look.ts';
import { checkVolume } from '../name.ts';
import { formatPolicy, parsePolicy } from '../policy.ts';
import { lockFlags, openPool } from '../pool.ts';
import { volumeText } from '../shown/look.ts';

export default verb({
  about: 'Make a new volume: an empty disk, a snapshot of another volume, or a disk that is empty at each start.',
  words: [{ name: 'VOL' }],
  flags: {
    size: optional({ ...size, help: 'how large the disk is' }),
    kind: given({ ...choice('saved', 'snapshot', 'volatile'), default: 'saved', help: 'what a stop keeps' }),
    source: optional({ value: 'VOL', parse: checkVolume, help: 'the saved volume a snapshot shows' }),
    'read-only': on('its images are never written'),
    policy: optional({ value: 'POLICY', parse: parsePolicy, help: "what retention keeps; else the pool's policy" }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool create dev/data --size 20G', 'an empty disk of 20 GiB'],
    ['reflink-pool create ci/root --kind snapshot --source dev/root', 'follows dev/root, forgets what it writes'],
    ['reflink-pool create ci/scratch --kind volatile --size 4G', 'is empty at each start'],
  ],
  run: async (call) => {
    const [word = ''] = call.words;
    const { kind, size, source, policy, 'read-only': fixed } = call.flags;
    const text = policy === undefined ? null : formatPolicy(policy);
    const wish = { kind, size: size ?? null, source: source ?? null, rw: !fixed, policy: text };
    const name = checkVolume(word);
    checkNew(wish);
    const pool = await openPool(call);
    const record = await volumeRecord(pool, await create(pool, name, wish));
    await call.emit(record, { text: volumeText(record), name });
  },
});

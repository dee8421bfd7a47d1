import { on, optional } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { cloneOf } from '../clone.ts';
import { checkVolume } from '../name.ts';
import { formatPolicy, parsePolicy } from '../policy.ts';
import { lockFlags, openPool } from '../pool.ts';
import { parseReference } from '../reference.ts';
import { cloneText } from '../shown/copy.ts';

export default verb({
  about: 'Make a new volume that begins as a committed state of another; nothing is copied.',
  words: [{ name: 'SRC[@REF]' }, { name: 'DST' }],
  flags: {
    'read-only': on('its images are never written'),
    policy: optional({ value: 'POLICY', parse: parsePolicy, help: "what retention keeps; else the pool's policy" }),
    'allow-copy': on('copy all bytes where extents cannot be shared'),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool clone dev/root ci/root', 'ci/root begins as dev/root is; the two share every block'],
    ['reflink-pool clone dev/root@3 old/root --read-only', 'revision 3 as a volume of its own'],
    ["reflink-pool clone dev/root lab/root --policy 'min=2d,daily=7'", 'with a history of its own'],
  ],
  run: async (call) => {
    const [from = '', to = ''] = call.words;
    const { 'read-only': fixed, policy, 'allow-copy': allowCopy } = call.flags;
    const [origin, name] = [parseReference(from), checkVolume(to)];
    const wish = { rw: !fixed, policy: policy === undefined ? null : formatPolicy(policy), allowCopy };
    const record = await cloneOf(await openPool(call), { origin, name }, wish);
    await call.emit(record, { text: cloneText(record), name });
  },
});

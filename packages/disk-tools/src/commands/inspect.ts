import { every } from '@platter/command/every';
import { choice, on, optional } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { inspect } from '../inspect.ts';
import { formats } from '../sniff.ts';
import { targetOf } from '../target.ts';

export default verb({
  about: 'Describe disk images, hostile ones too: nothing they name is opened and no program is started.',
  words: [{ name: 'PATH', many: true }],
  flags: {
    'from-format': optional({ ...choice(...formats), help: 'what it must be; raw is only ever raw when said' }),
    scan: on('walk the tables of a qcow2 and count what it holds'),
  },
  exits: [0, 1, 2, 3, 4, 5, 7],
  examples: [
    ['disk-tools inspect gift.qcow2', 'shows everything it refers to, and which rules it breaks'],
    ['disk-tools inspect --scan -o json shop-data.qcow2', 'its header, filesystems and a census as one record'],
    ['disk-tools inspect --from-format raw /dev/vdb', 'what lies on a block device'],
  ],
  run: async (call) => {
    const names = await namesOf(call, ({ path }) => (typeof path === 'string' ? path : undefined));
    const { scan } = call.flags;
    await every(call, { names }, (name) =>
      inspect(call, targetOf(call.cwd, name), { format: call.flags['from-format'], scan }),
    );
  },
});

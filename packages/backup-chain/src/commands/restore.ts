import { every } from '@platter/command/every';
import { choice, given, on, optional, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { crew } from '@platter/host/crew';
import { prepareErrands, scriptFor } from '../errands.ts';
import { restore } from '../restore.ts';
import { common, looseFlags } from '../root.ts';
import { restoredText } from '../telling.ts';

export default verb({
  about: 'Restore a point, a set or loose files to block devices or new files.',
  words: [{ name: 'ADDR', many: true }],
  flags: {
    to: several({ ...text, value: '[DISK=]TARGET', help: 'where it goes' }),
    file: on('the target is a new raw file'),
    engine: given({ ...choice('auto', 'native', 'qemu'), default: 'auto', help: 'who copies' }),
    plan: optional({ ...choice('sh'), help: 'print a script that does the same with qemu-img; change nothing' }),
    check: given({ ...choice('data', 'none'), default: 'data', help: 'check each cluster before it is written' }),
    verify: given({ ...choice('sample', 'full', 'none'), default: 'sample', help: 'read the target back afterwards' }),
    delta: on('read the target first and write only what differs'),
    'keep-tail': on('leave alone what lies behind the disk on a larger target'),
    disk: optional({ ...text, value: 'NAME', help: 'only this disk of a set' }),
    confirm: optional({ ...text, value: 'TARGET', help: 'overwrite what is on it' }),
    ...looseFlags,
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['backup-chain restore shop/web/data@latest --to /dev/vdb', 'restores one disk to a blank device'],
    ['backup-chain restore shop/web@latest --to root=/dev/vdb --to data=/dev/vdc', 'restores a set'],
    ['backup-chain restore --files full.qcow2 inc1.qcow2 --file --to disk.img', 'restores loose files to a new file'],
  ],
  run: async (call) => {
    const wish = { ...call.flags, keepTail: call.flags['keep-tail'] };
    if (wish.plan === 'sh') return scriptFor(call);
    crew.ready(wish.workers);
    const errands = await prepareErrands(call, wish);
    const names = [...errands.keys()];
    await every(call, { names, alike: true }, async (name) => {
      const errand = errands.get(name);
      const record = errand && (await restore(call, errand, wish));
      if (record) await call.emit(record, { text: restoredText(record), name });
    });
  },
});

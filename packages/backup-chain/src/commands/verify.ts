import { resolve } from 'node:path';
import { on, optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { looseFlags, repoFlag, waitFlag, workersFlag } from '../root.ts';
import { openSources } from '../sources.ts';
import { verification, verificationText } from '../verification.ts';

export default verb({
  about: 'Compare a device or a file with a point; reads the target, and the digests of the point.',
  words: [{ name: 'ADDR', many: true }],
  flags: {
    against: optional({ ...text, value: 'DEV|FILE', help: 'what is compared with the point' }),
    disk: optional({ ...text, value: 'NAME', help: 'this disk of a set' }),
    oracle: on('let qemu-img compare them too, and fail when it sees it otherwise'),
    ...looseFlags,
    ...repoFlag,
    ...workersFlag,
    ...waitFlag,
  },
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain verify shop/web/data@latest --against /dev/vdb', 'compares a device with the newest point'],
    ['backup-chain verify shop/web@latest --disk data --against disk.img', 'compares a file with one disk of a set'],
    ['backup-chain verify --files full.qcow2 inc1.qcow2 --against /dev/vdb', 'compares with what loose files hold'],
  ],
  run: async (call) => {
    const { against, disk } = call.flags;
    if (against === undefined) throw new Failure('usage', 'against what?', { hint: '--against DEV|FILE' });
    const { sources } = await openSources(call, disk);
    const [source, ...more] = sources;
    if (source === undefined || more.length > 0)
      throw new Failure('usage', 'one target holds one disk', { hint: '--disk NAME, of a set of several' });
    const found = await verification(call, source, { ...call.flags, against: resolve(call.cwd, against) });
    await call.emit(found, { text: verificationText(found), name: source.name });
    if (found.equal) return;
    const at = `its first difference is at ${found.firstDifference}`;
    throw new Failure('corrupt', `${against} does not hold ${source.name}: ${at}`, {
      details: { differ: `${found.differingClusters} clusters` },
    });
  },
});

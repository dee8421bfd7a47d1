import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { revisionRecord, volumeRecord, volumesOf } from '../look.ts';
import { glancing, openPool, poolFlag } from '../pool.ts';
import { revisionText, volumeText } from '../shown/look.ts';

export default verb({
  about: 'List the volumes of a pool, or all their revisions. Waits for nobody.',
  words: [],
  flags: { revisions: on('list revisions'), sets: on('list sets'), exports: on('list open exports'), ...poolFlag },
  exits: [0, 1, 2, 3, 5, 6],
  examples: [
    ['reflink-pool list', 'one line for each volume'],
    ['reflink-pool list --revisions', 'one line for each revision, oldest first'],
    ['reflink-pool list -o json | backup-chain capture - --repo /backup', 'hands the heads on'],
  ],
  run: async (call) => {
    const { revisions, sets, exports } = call.flags;
    if ([revisions, sets, exports].filter(Boolean).length > 1) throw new Invalid('list one kind of thing at a time');
    const pool = glancing(await openPool(call));
    if (sets || exports) return (await import('../lists.ts')).listOther(pool, sets ? 'sets' : 'exports');
    for (const volume of await volumesOf(pool)) {
      if (volume.sidecar === 'damaged')
        call.warn(`${pool.volumeFile(volume.name)} cannot be read: labels and pins of ${volume.name} are not known`);
      for (const revision of revisions ? volume.revisions : []) {
        const record = revisionRecord(volume, revision);
        await call.emit(record, { text: revisionText(record), name: record.ref });
      }
      if (revisions) continue;
      const record = await volumeRecord(pool, volume);
      await call.emit(record, { text: volumeText(record), name: volume.name });
    }
  },
});

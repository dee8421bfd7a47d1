import type { Call } from '@platter/command/call';
import { verb } from '@platter/command/verb';
import { lookAt } from '../family.ts';
import { poolRecord, revisionRecord, volumeRecord } from '../look.ts';
import { mustExist } from '../machine.ts';
import { glancing, openPool, type Pool, poolFlag } from '../pool.ts';
import { imageOf, parseReference } from '../reference.ts';
import { poolText, revisionText, volumeDetails } from '../shown/look.ts';

export default verb({
  about: 'Show the pool, one volume, or one of its states. Waits for nobody.',
  words: [{ name: 'VOL[@REF]', optional: true }],
  flags: { ...poolFlag },
  exits: [0, 1, 2, 3, 5, 6],
  examples: [
    ['reflink-pool show', 'the pool: its filesystem, room and policy'],
    ['reflink-pool show dev/root', 'the volume, who uses it, and its revisions'],
    ['reflink-pool show dev/root@latest -o json', 'one revision, with the path of its image'],
  ],
  run: async (call) => {
    const [word] = call.words;
    const reference = word === undefined ? null : parseReference(word);
    const pool = glancing(await openPool(call));
    if (reference === null) {
      const record = await poolRecord(pool);
      return call.emit(record, { text: poolText(record), name: pool.path });
    }
    await (word?.includes('@') ? showState(call, pool, reference) : showVolume(call, pool, reference.volume));
  },
});

async function showVolume(call: Call<unknown>, pool: Pool, name: string): Promise<void> {
  const volume = await mustExist(pool, await lookAt(pool, name));
  if (volume.sidecar === 'damaged') call.warn(`${pool.volumeFile(name)} cannot be read: labels and pins are not known`);
  const record = await volumeRecord(pool, volume, true);
  const revisions = volume.revisions.map((revision) => revisionRecord(volume, revision));
  await call.emit(record, { text: volumeDetails(record, revisions), name });
}

async function showState(call: Call<unknown>, pool: Pool, { volume: name, target }: ReturnType<typeof parseReference>) {
  const volume = await mustExist(pool, await lookAt(pool, name));
  const record = revisionRecord(volume, imageOf(volume, target));
  await call.emit(record, { text: revisionText(record), name: record.ref });
}

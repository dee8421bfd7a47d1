import type { Call } from '@platter/command/call';
import { every } from '@platter/command/every';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { readable } from '../chosen.ts';
import { poolRecord, revisionRecord, volumeRecord } from '../look.ts';
import { spread } from '../machine.ts';
import { glancing, openPool, type Pool, poolFlag } from '../pool.ts';
import { imageOf, parseReference } from '../reference.ts';
import { poolText, revisionText, volumeDetails } from '../shown/look.ts';
import { checkReferences, referenceIn } from '../words.ts';

export default verb({
  about: 'Show the pool, or volumes, or states of them. Waits for nobody.',
  words: [{ name: 'VOL[@REF]', many: true, optional: true }],
  flags: { ...poolFlag },
  exits: [0, 1, 2, 3, 5, 6, 7],
  examples: [
    ['reflink-pool show', 'the pool: its filesystem, room and policy'],
    ['reflink-pool show dev/root', 'the volume, who uses it, and its revisions'],
    ['reflink-pool show dev/root@latest -o json', 'one revision, with the path of its image'],
  ],
  run: async (call) => {
    const words = checkReferences(await namesOf(call, referenceIn));
    const pool = glancing(await openPool(call));
    if (call.words.length === 0) {
      const record = await poolRecord(pool);
      return call.emit(record, { text: poolText(record), name: pool.path });
    }
    await every(call, { names: await spread(pool, words), alike: true }, async (word) => {
      const reference = parseReference(word);
      await (word.includes('@') ? showState(call, pool, reference) : showVolume(call, pool, reference.volume));
    });
  },
});

async function showVolume(call: Call<unknown>, pool: Pool, name: string): Promise<void> {
  const volume = await readable(pool, name);
  const record = await volumeRecord(pool, volume, true);
  const revisions = volume.revisions.map((revision) => revisionRecord(volume, revision));
  await call.emit(record, { text: volumeDetails(record, revisions), name });
}

async function showState(call: Call<unknown>, pool: Pool, { volume: name, target }: ReturnType<typeof parseReference>) {
  const volume = await readable(pool, name);
  const record = revisionRecord(volume, imageOf(volume, target));
  await call.emit(record, { text: revisionText(record), name: record.ref });
}

import { type Export, exportRecord, isExported, openExports } from './exports.ts';
import { seen } from './look.ts';
import type { Pool } from './pool.ts';
import type { ExportRecord } from './records/copy.ts';
import { setNames, setOf, setRecord } from './sets.ts';
import { exportText } from './shown/copy.ts';
import { setText } from './shown/look.ts';

/** Prints the published sets, or the open exports. */
export async function listOther(pool: Pool, what: 'sets' | 'exports'): Promise<void> {
  if (what === 'exports') {
    for (const record of await exportsOf(pool))
      await pool.call.emit(record, { text: exportText(record), name: record.id ?? '' });
    return;
  }
  for (const name of await setNames(pool)) {
    const set = await setOf(pool, name);
    if (set === null) continue;
    const record = setRecord(name, set);
    await pool.call.emit(record, { text: setText(record), name });
  }
}

/** The open exports; one of a head that has got a number since is called by that. */
async function exportsOf(pool: Pool): Promise<ExportRecord[]> {
  const open = await openExports(pool);
  return Promise.all(
    open.map(async (one) => exportRecord({ ...one, number: one.number ?? (await numberOf(pool, one)) }, 'open')),
  );
}

async function numberOf(pool: Pool, image: Export): Promise<number | null> {
  const volume = await seen(pool, image.volume);
  return volume?.revisions.findLast((revision) => isExported(revision, image))?.number ?? null;
}

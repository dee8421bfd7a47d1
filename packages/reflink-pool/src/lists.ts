import { list, lstat, text } from '@platter/host/looks';
import { hidden, type Pool } from './pool.ts';
import type { ExportRecord } from './records/copy.ts';
import { setNames, setOf, setRecord } from './sets.ts';
import { exportText } from './shown/copy.ts';
import { setText } from './shown/look.ts';
import { readExport } from './sidecar.ts';

/** Prints the published sets, or the open exports. */
export async function listOther(pool: Pool, what: 'sets' | 'exports'): Promise<void> {
  if (what === 'exports') {
    for (const record of await exportsOf(pool))
      await pool.call.emit(record, { text: exportText(record), name: record.id });
    return;
  }
  for (const name of await setNames(pool)) {
    const set = await setOf(pool, name);
    if (set === null) continue;
    const record = setRecord(name, set);
    await pool.call.emit(record, { text: setText(record), name });
  }
}

/** The exports whose image is there, in byte order of their ids. */
async function exportsOf(pool: Pool): Promise<ExportRecord[]> {
  const dir = hidden(pool, 'exports');
  const names = ((await pool.host.query(list(dir))) ?? [])
    .map(({ name }) => name)
    .filter((name) => name.endsWith('.json'));
  const found = await Promise.all(names.map((name) => exportOf(pool, name.slice(0, -5))));
  return found.filter((record) => record !== null);
}

async function exportOf({ host, path: root }: Pool, id: string): Promise<ExportRecord | null> {
  const path = hidden({ path: root }, `exports/${id}.img`);
  const [content, stat] = [await host.query(text(path.replace(/img$/, 'json'))), await host.query(lstat(path))];
  const noted = content === null ? null : readExport(content);
  if (noted === null || stat === null) return null;
  const { volume, number, expiresAt = null } = noted;
  const head = { apiVersion: 'platter.dev/v1', kind: 'Export', metadata: { name: volume } } as const;
  return { ...head, id, volume, number, path, size: stat.size, method: 'link', expiresAt, outcome: 'open' };
}

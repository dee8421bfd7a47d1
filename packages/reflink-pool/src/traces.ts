import { list, text } from '@platter/host/looks';
import { hidden, type Pool } from './pool.ts';
import { readExport, readSet } from './sidecar.ts';

/**
 * The highest number of a volume that published sets and exports tell of; 0 when they tell of none. Without a sidecar
 * nothing else knows of a number whose name is gone (N4).
 */
export async function tracedNumber(pool: Pool, volume: string): Promise<number> {
  const [sets, exports] = await Promise.all([notesIn(pool, 'sets'), notesIn(pool, 'exports')]);
  const members = sets.flatMap((content) => readSet(content)?.members ?? []);
  const known = [...members, ...exports.map(readExport)].filter((one) => one?.volume === volume);
  return Math.max(0, ...known.map((one) => one?.number ?? 0));
}

/** What the notes in a directory of the pool say. */
async function notesIn(pool: Pool, dir: 'sets' | 'exports'): Promise<string[]> {
  const names = ((await pool.host.query(list(hidden(pool, dir)))) ?? []).map(({ name }) => name);
  const notes = names.filter((name) => name.endsWith('.json'));
  const read = await Promise.all(notes.map((name) => pool.host.query(text(hidden(pool, `${dir}/${name}`)))));
  return read.filter((content) => content !== null);
}

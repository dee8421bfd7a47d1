import { list, text } from '@platter/host/looks';
import { hidden, type Pool } from './pool.ts';
import { readSet, type SetFile } from './sidecar.ts';

/** A set that some verb did not finish: being made (it will be undone), or being reverted to (it will be completed). */
export interface Pending {
  name: string;
  kind: 'intent' | 'revert';
  members: SetFile['members'];
}

/** The unfinished sets that name a volume; all of them without one. A file that is no set is nobody's. */
export async function pendingSets(pool: Pool, volume?: string): Promise<Pending[]> {
  const dir = hidden(pool, 'sets');
  const names = ((await pool.host.query(list(dir))) ?? []).map(({ name }) => /^(.+)\.(intent|revert)$/.exec(name));
  const read = names.map(async (match): Promise<Pending[]> => {
    const [file, name, kind] = match ?? [];
    const content = file === undefined ? null : await pool.host.query(text(`${dir}/${file}`));
    const set = content === null ? null : readSet(content);
    if (set === null || name === undefined) return [];
    return [{ name, kind: kind === 'intent' ? 'intent' : 'revert', members: set.members }];
  });
  const all = (await Promise.all(read)).flat();
  return volume === undefined ? all : all.filter(({ members }) => members.some((one) => one.volume === volume));
}

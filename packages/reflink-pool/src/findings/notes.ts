import { Failure } from '@platter/host/failure';
import { list, lstat } from '@platter/host/looks';
import { shellLine } from '@platter/units/shell';
import { exportIds, exportPath, openExport } from '../exports.ts';
import { pendingSets } from '../pending.ts';
import { hidden, type Pool } from '../pool.ts';
import { exists, type Volume } from '../volume.ts';
import { aside, ours, type Told } from './finding.ts';

/** What is wrong with the sidecar of a volume, given all volumes that are there. */
export function orphan(pool: Pool, volume: Volume, all: readonly Volume[]): Told[] {
  const { name, sidecar, file } = volume;
  const path = pool.volumeFile(name);
  const told = (message: string, fix: string): Told[] => [
    { code: 'orphan-sidecar', path, message: `${path} ${message}`, fix },
  ];
  if (sidecar === 'absent') return [];
  if (sidecar === 'damaged') return told('is no sidecar: labels and pins are lost, data is not', aside(pool, path));
  const remove = ours(pool, 'remove', name, `--confirm=${name}`);
  if (file.removing) return told('is that of a volume whose removal was not finished', remove);
  if (!exists(volume)) return told('is that of a volume without any image', remove);
  const source = all.find((one) => one.name === file.source);
  if (file.source === null || (source !== undefined && exists(source))) return [];
  return told(`is that of a snapshot of ${file.source}, which is not there`, remove);
}

/** Sets that a crash left half made or half reverted to; one that is being worked on now is none. */
export async function unfinishedSets(pool: Pool): Promise<Told[]> {
  const dir = hidden(pool, 'sets');
  const names = ((await pool.host.query(list(dir))) ?? []).map(({ name }) => name);
  const left = names.filter((name) => /\.(intent|revert)$/.test(name));
  if (left.length === 0 || (await inProgress(pool))) return [];
  const pending = await pendingSets(pool);
  return left.map((file) => {
    const known = pending.find(({ name, kind }) => file === `${name}.${kind}`);
    const [member] = known?.members ?? [];
    const path = `${dir}/${file}`;
    const fix =
      member === undefined
        ? shellLine(['rm', '-f', '--', path])
        : ours(pool, 'pin', `${member.volume}@head`, '--owner', 'doctor', '--release');
    return {
      code: 'unfinished-set',
      path,
      message: `${path} is a set that was not finished: the next verb on a member does`,
      fix,
    };
  });
}

async function inProgress(pool: Pool): Promise<boolean> {
  const path = hidden(pool, 'locks/%sets');
  if ((await pool.host.query(lstat(path))) === null) return false;
  try {
    (await pool.host.query({ op: 'lock', path, shared: true })).release();
    return false;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'busy') return true;
    throw error;
  }
}

/** Exports that nobody ended in time, and what a crash left of one. */
export async function deadExports(pool: Pool): Promise<Told[]> {
  const found = await Promise.all(
    (await exportIds(pool)).map(async (id) => ({ id, open: await openExport(pool, id) })),
  );
  const dead = found.filter(({ open }) => open === null || isOver(open.expiresAt, pool.call.now()));
  return dead.map(({ id, open }) => ({
    code: 'expired-export',
    path: exportPath(pool, id, 'img'),
    message:
      open === null
        ? `the export ${id} is not whole`
        : `the export ${id} of ${open.volume} is over since ${open.expiresAt}`,
    fix: ours(pool, 'export', '--end', id),
  }));
}

const isOver = (expiresAt: string | null, now: number) => expiresAt !== null && Date.parse(expiresAt) <= now;

import { dirname } from 'node:path';
import { create, remove, rename, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { list, text } from '@platter/host/looks';
import { hidden, type Pool } from './pool.ts';
import { type PoolFile, readPoolFile } from './sidecar.ts';
import { built } from './steps.ts';
import { take } from './take.ts';

const fileOf = (pool: Pick<Pool, 'path'>) => hidden(pool, 'pool.json');

/** Replaces pool.json as a whole, durably; under `%pool`. */
export async function writeSettings(pool: Pool, settings: PoolFile, why: string): Promise<void> {
  const { host } = pool;
  const path = fileOf(pool);
  const content = `${JSON.stringify({ apiVersion: 'platter.dev/v1', ...settings })}\n`;
  await built(pool, path, async (draft) => {
    await host.change(create(draft, content, 0o600));
    await host.change(because(rename(draft, path), why));
  });
  await host.change(sync(dirname(path)));
}

/** Temporaries that a crash left beside pool.json; under `%pool`. */
export async function sweepSettings(pool: Pool): Promise<void> {
  const dir = dirname(fileOf(pool));
  for (const { name } of (await pool.host.query(list(dir))) ?? [])
    if (/^pool\.json~[a-z0-9_]{8}$/.test(name))
      await pool.host.change(because(remove(`${dir}/${name}`), 'left by a crash'));
}

/** Changes settings of the pool under `%pool`, as they are then; the pool with them. The same again writes nothing. */
export async function changeSettings(pool: Pool, changes: Partial<PoolFile>, why: string): Promise<Pool> {
  const { wait = 0 } = pool.call.flags as { wait?: number };
  const lock = await take(pool, { path: hidden(pool, 'locks/%pool'), what: 'the pool', wait });
  try {
    await sweepSettings(pool);
    const content = await pool.host.query(text(fileOf(pool)));
    const now = content === null ? pool.settings : readPoolFile(fileOf(pool), content);
    const settings = { ...now, ...changes };
    if (JSON.stringify(settings) !== JSON.stringify(now)) await writeSettings(pool, settings, why);
    return { ...pool, settings };
  } finally {
    lock.release();
  }
}

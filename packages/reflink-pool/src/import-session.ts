import { create, remove, sync, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { formatInstant } from '@platter/units/instant';
import { lookAt } from './family.ts';
import { adopted, type ImportWish, ready, recordOf, refuseOpen } from './import.ts';
import { seal } from './intake.ts';
import { locked } from './lock.ts';
import { holders } from './machine.ts';
import type { Pool } from './pool.ts';
import type { ImportRecord } from './records/cycle.ts';
import { linkIn, segmentsOf } from './segments.ts';
import { built, put } from './steps.ts';
import { heldBy } from './stopping.ts';
import { exists, pathOf, type Volume } from './volume.ts';

/** Opens an import session: a sparse file to be written by somebody else. */
export function begin(
  pool: Pool,
  name: string,
  { size, create: fresh }: { size: number; create: boolean },
): Promise<ImportRecord> {
  return locked(pool, name, async (found) => {
    const volume = await ready(pool, found, fresh);
    refuseOpen(volume);
    const token = hex(pool.call.random(6));
    const path = pathOf(volume, 'import');
    const session = { token, size, startedAt: formatInstant(pool.call.now()) };
    const policy = exists(volume) ? volume.file.policy : null;
    await segmentsOf(pool, volume);
    await put(pool, volume, { import: session, policy, why: 'an import is open' });
    await built(pool, path, async (temp) => {
      await pool.host.change(because(create(temp, '', 0o600), 'to be written'));
      await pool.host.change(truncate(temp, size));
      await linkIn(pool, temp, { to: path, dir: volume.dir });
    });
    return recordOf(name, { outcome: 'open', token, path, size });
  });
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Ends an import session: what was written becomes the head. */
export function commitImport(
  pool: Pool,
  name: string,
  { token, ...wish }: ImportWish & { token: string },
): Promise<ImportRecord> {
  return locked(pool, name, async (found) => {
    const volume = await ready(pool, found, true);
    const size = sessionSize(volume, token);
    const { importing, head } = volume;
    if (importing === null && head !== null && head.size === size)
      return closed(pool, volume, { token, outcome: 'imported' });
    if (importing === null) throw noSession(name, token);
    const users = await holders(pool, importing);
    if (users.length > 0) throw heldBy(name, 'commit the import of', users);
    if (importing.nlink !== 1) throw new Failure('refused', `${importing.path} has more than one name`);
    const taken = { method: 'session' as const, size: importing.size, sha256: null };
    await seal(pool, importing.path, { taken, wish: { ...wish, size } });
    const record = await adopted(pool, volume, { path: importing.path, taken, token });
    await put(pool, await again(pool, volume), { import: null, why: 'the import is done' });
    return record;
  });
}

const again = async (pool: Pool, volume: Volume): Promise<Volume> =>
  pool.host.dry ? volume : lookAt(pool, volume.name);

const noSession = (name: string, token: string) =>
  new Failure('refused', `there is no import ${token} into ${name}`, { hint: `reflink-pool show ${name}` });

function sessionSize({ name, file }: Volume, token: string): number {
  if (file.import?.token === token) return file.import.size;
  throw noSession(name, token);
}

/** Gives an import session up. */
export function abort(pool: Pool, name: string, token: string): Promise<ImportRecord> {
  return locked(pool, name, async (volume) => {
    sessionSize(volume, token);
    const { importing, dir } = volume;
    if (importing !== null) {
      await pool.host.change(because(remove(importing.path), 'the import was given up'));
      await pool.host.change(sync(dir));
    }
    return closed(pool, { ...volume, importing: null }, { token, outcome: 'aborted' });
  });
}

async function closed(
  pool: Pool,
  volume: Volume,
  told: Pick<ImportRecord, 'outcome' | 'token'>,
): Promise<ImportRecord> {
  await put(pool, volume, { import: null, why: 'no import is open' });
  return recordOf(volume.name, told);
}

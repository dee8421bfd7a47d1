import { create, remove, sync, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { hold } from '@platter/host/looks';
import { formatInstant } from '@platter/units/instant';
import { lookAt } from './family.ts';
import { adopted, type ImportWish, ready, recordOf, refuseOpen } from './import.ts';
import { checkTaken, digestOf, seal } from './intake.ts';
import { locked } from './lock.ts';
import { holders } from './machine.ts';
import type { Pool } from './pool.ts';
import type { ImportRecord } from './records/cycle.ts';
import { linkIn, segmentsOf } from './segments.ts';
import { refuseContainer, type Taken } from './source.ts';
import { built, put } from './steps.ts';
import { heldBy } from './stopping.ts';
import { refuseStrange } from './strange.ts';
import { exists, type Image, pathOf, type Volume } from './volume.ts';

/** Opens an import session: a sparse file to be written by somebody else. */
export function begin(
  pool: Pool,
  name: string,
  { size, create: fresh }: { size: number; create: boolean },
): Promise<ImportRecord> {
  return locked(pool, name, async (found) => {
    const volume = await ready(pool, found, fresh);
    refuseOpen(volume);
    refuseStrange(volume, 'import');
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
  { token, raw, sha256 }: Pick<ImportWish, 'raw' | 'sha256'> & { token: string },
): Promise<ImportRecord> {
  return locked(pool, name, async (found) => {
    const volume = await ready(pool, found, true);
    const session = sessionOf(volume, token);
    const { importing } = volume;
    if (importing === null && becameHead(volume, session)) return closed(pool, volume, { token, outcome: 'imported' });
    if (importing === null) throw noSession(name, token);
    const users = await holders(pool, importing);
    if (users.length > 0) throw heldBy(name, 'commit the import of', users);
    if (importing.nlink !== 1) throw new Failure('refused', `${importing.path} has more than one name`);
    checkTaken({ size: importing.size, sha256: null }, { size: session.size, sha256 });
    const taken = await written(pool, importing, { raw, sha256 });
    checkTaken(taken, { size: session.size, sha256 });
    await seal(pool, importing.path);
    const record = await adopted(pool, volume, { path: importing.path, taken, token });
    await put(pool, await again(pool, volume), { import: null, why: 'the import is done' });
    return record;
  });
}

/** Whether a commit of this session was killed after its rename: the file was made for it and is the head now. */
const becameHead = ({ head }: Volume, { size, startedAt }: Open): boolean =>
  head !== null && head.size === size && (head.birthNs === 0n || head.birthNs / 1_000_000n >= Date.parse(startedAt));

/** What somebody else wrote, looked at as any file that comes in. */
async function written(
  pool: Pool,
  { path, size }: Image,
  { raw, sha256 }: Pick<ImportWish, 'raw' | 'sha256'>,
): Promise<Taken> {
  const held = await pool.host.query(hold(path));
  try {
    if (!raw) await refuseContainer(held);
  } finally {
    held.close();
  }
  const digest = sha256 === null ? null : await digestOf(pool, path);
  return { method: 'session', size, sha256: digest, consistency: null, from: path };
}

const again = async (pool: Pool, volume: Volume): Promise<Volume> =>
  pool.host.dry ? volume : lookAt(pool, volume.name);

const noSession = (name: string, token: string) =>
  new Failure('refused', `there is no import ${token} into ${name}`, { hint: `reflink-pool show ${name}` });

type Open = NonNullable<Volume['file']['import']>;

function sessionOf({ name, file }: Volume, token: string): Open {
  if (file.import?.token === token) return file.import;
  throw noSession(name, token);
}

/** Gives an import session up. */
export function abort(pool: Pool, name: string, token: string): Promise<ImportRecord> {
  return locked(pool, name, async (volume) => {
    sessionOf(volume, token);
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

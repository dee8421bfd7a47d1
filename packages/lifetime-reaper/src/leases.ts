import { dirname, join } from 'node:path';
import { mkdir, remove } from '@platter/host/changes';
import type { Holder, Host, Lock, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { source } from '@platter/host/hold';
import { hold, list, lstat, stat } from '@platter/host/looks';
import { replaceWhole } from '@platter/host/whole';
import { checkName, dnsLabel } from '@platter/units/name';
import { checkAbsolute } from '@platter/units/path';
import type { Lifetime } from './records.ts';

/** Where leases lie, and who obeys them. */
export interface Leases {
  dir: string;
  uid: number;
}
type Environment = Readonly<Record<string, string | undefined>>;

/** `--leases` or PLATTER_LIFETIMES, else root's own directory or a person's; root never follows a person's XDG variables. */
export function leasesOf(said: string | undefined, env: Environment, uid: number): Leases {
  if (said !== undefined) return { dir: checkAbsolute(said), uid };
  if (uid === 0) return { dir: '/var/lib/platter/lifetimes', uid };
  const state = env.XDG_STATE_HOME || join(env.HOME ?? '/', '.local/state');
  return { dir: join(state, 'platter/lifetimes'), uid };
}

export const pathOf = ({ dir }: Leases, id: string): string => join(dir, `${checkName(dnsLabel, id)}.json`);
const lockOf = ({ dir }: Leases, id: string): string => join(dir, `.${id}.lock`);
const tempOf = ({ dir }: Leases, id: string, pid: number): string => join(dir, `.${id}.json.${pid}.tmp`);

/** The ids of all leases, in byte order. */
export async function ids(host: Host, { dir }: Leases): Promise<string[]> {
  const entries = (await host.query(list(dir))) ?? [];
  return entries.flatMap(({ name }) => /^([a-z0-9][a-z0-9-]*)\.json$/.exec(name)?.[1] ?? []);
}

/** A lease names a command that we will run: only its owner's word counts, and only where nobody else could write it. */
function obeyed(what: string, { uid, mode }: Stat, ours: number): void {
  if (uid !== ours && uid !== 0)
    throw new Failure('refused', `will not obey ${what}: it belongs to another user (uid ${uid})`);
  if ((mode & 0o022) !== 0)
    throw new Failure('refused', `will not obey ${what}: others may write it`, { hint: `chmod go-w ${what}` });
}

/** A lease, or null when there is none. What was judged is what is read: the opened file, not the name. */
export async function readLease(host: Host, leases: Leases, id: string): Promise<Lifetime | null> {
  const path = pathOf(leases, id);
  const [folder, facts] = [await host.query(stat(leases.dir)), await host.query(lstat(path))];
  if (folder === null || facts === null) return null;
  if (facts.kind !== 'file') throw new Failure('refused', `will not obey ${path}: it is not a plain file`);
  const held = await host.query(hold(path));
  try {
    if (held.ino !== facts.ino || held.dev !== facts.dev)
      throw new Failure('busy', `${path} was replaced while it was read`);
    obeyed(leases.dir, folder, leases.uid);
    obeyed(path, facts, leases.uid);
    return await parseLease(path, await source(held).read(0, held.size));
  } finally {
    held.close();
  }
}

async function parseLease(path: string, bytes: Uint8Array): Promise<Lifetime> {
  const { Lifetime: schema } = await import('./records.ts');
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new Failure('corrupt', `${path} is not a lifetime`, {
      cause,
      hint: 'it is never acted on; arm it again, or remove the file',
    });
  }
}

export interface Change {
  lifetime: Lifetime;
  pid: number;
}

/** Puts a lease in place whole. */
export async function writeLease(host: Host, leases: Leases, { lifetime, pid }: Change): Promise<void> {
  const data = `${JSON.stringify(lifetime, null, 2)}\n`;
  const temp = tempOf(leases, lifetime.id, pid);
  await replaceWhole(host, { path: pathOf(leases, lifetime.id), temp, data, mode: 0o600 });
}

/** Takes the lock of one lifetime and sweeps what a killed writer of it left. */
export async function lockLease(
  host: Host,
  leases: Leases,
  { id, holder }: { id: string; holder: Holder },
): Promise<Lock> {
  const path = lockOf(leases, id);
  const lock = await host.change({ op: 'lock', path, holder });
  const left = new RegExp(`^\\.${id}\\.json\\.\\d+\\.tmp$`);
  for (const { name } of (await host.query(list(leases.dir))) ?? [])
    if (left.test(name)) await host.change(remove(join(leases.dir, name)));
  return lock;
}

/** Makes the directory of the leases, and its parents, for its owner alone. */
export async function makeLeases(host: Host, dir: string): Promise<void> {
  if ((await host.query(stat(dir))) !== null) return;
  await makeLeases(host, dirname(dir));
  await host.change(mkdir(dir, 0o700));
}

/** Removes a lease and its lock file. */
export async function removeLease(host: Host, leases: Leases, id: string): Promise<void> {
  await host.change(remove(pathOf(leases, id)));
  await host.change(remove(lockOf(leases, id)));
}

/** The ids of all leases, the earliest deadline first; one that cannot be read comes first, so that it is reported. */
export async function byDeadline(host: Host, leases: Leases): Promise<string[]> {
  const deadlines = new Map<string, string>();
  for (const id of await ids(host, leases))
    deadlines.set(id, (await readLease(host, leases, id).catch(() => null))?.expiresAt ?? '');
  const earlier = (a: string, b: string) => ((deadlines.get(a) ?? '') <= (deadlines.get(b) ?? '') ? -1 : 1);
  return [...deadlines.keys()].sort(earlier);
}

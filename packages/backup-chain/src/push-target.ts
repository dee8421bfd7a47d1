import { chmod, create, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { run, stat } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { emptyImage } from '@platter/qcow2/empty';
import type { DraftPlan } from './draft.ts';

async function give(host: Host, path: string, owner: string): Promise<void> {
  const program = run('chown', ['--', owner, path], { timeout: 60_000 });
  must(program, await host.change(program));
}

/** Who the files of a running QEMU must belong to, and who they belonged to before; null where it is the same. */
export interface Owners {
  theirs: string;
  ours: string;
}

/** The owner of a socket, where only root's own files would be closed to it. */
export async function ownersOf(host: Host, socket: string, uid: number): Promise<Owners | null> {
  const owner = await host.query(stat(socket));
  return uid !== 0 || owner === null || owner.uid === 0 ? null : { theirs: `${owner.uid}:${owner.gid}`, ours: '0:0' };
}

/** An empty canonical image that QEMU may fill. */
export async function makeTarget(host: Host, { data, virtualSize }: DraftPlan, owners: Owners | null): Promise<void> {
  const shown = ['create', '-q', '-f', 'qcow2', '-o', 'compat=1.1,cluster_size=65536', data, String(virtualSize)];
  if (host.dry) await host.change(run('qemu-img', shown));
  else await host.change(create(data, emptyImage(virtualSize), 0o600));
  if (owners !== null) await give(host, data, owners.theirs);
}

/** Takes a filled image back: ours, durable, never written again. */
export async function takeBack(host: Host, { data }: DraftPlan, owners: Owners | null): Promise<void> {
  if (owners !== null) await give(host, data, owners.ours);
  await host.change(chmod(data, 0o444));
  await host.change(sync(data));
}

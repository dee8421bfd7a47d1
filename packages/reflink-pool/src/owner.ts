import type { Change, Effect, Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';

/** Another user's file, which we may not read, or whose mode and names are not ours to change: whose it is and what helps. */
export async function foreign(host: Host, path: string, cause: unknown): Promise<Failure> {
  const owner = (await host.query(lstat(path)))?.uid;
  const whose = owner === undefined ? 'another user' : `user ${owner}`;
  return new Failure('refused', `will not touch ${path}: it belongs to ${whose}`, {
    hint: 'run as that user, chown it, or keep CAP_FOWNER and CAP_DAC_OVERRIDE',
    cause,
  });
}

/** The machine as user `uid` sees it: where only a file's owner may change its mode or link it, the refusal names him. */
export function ownedBy(host: Host, uid: number): Host {
  return {
    dry: host.dry,
    query: (query) => host.query(query),
    change: async <C extends Change>(change: C): Promise<Effect<C>> => {
      try {
        return await host.change(change);
      } catch (error) {
        const path = change.op === 'link' ? change.from : change.op === 'chmod' ? change.path : null;
        if (path === null || errno(error) !== 'EPERM' || (await host.query(lstat(path)))?.uid === uid) throw error;
        throw await foreign(host, path, error);
      }
    },
  };
}

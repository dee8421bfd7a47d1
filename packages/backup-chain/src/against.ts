import type { Host } from '@platter/host/door';
import { compareMaps, type ExtentTable, widen, zerosIn } from '@platter/host/extents';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, realpath } from '@platter/host/looks';
import { extentsOf } from '@platter/host/tools/filefrag';
import type { ChangeList } from './change-list.ts';
import { clusterSize } from './layout.ts';
import { sharesExtents } from './sharing.ts';

async function held(host: Host, said: string): Promise<Held> {
  const path = await host.query(realpath(said));
  if (path === null) throw new Failure('refused', `${said} does not exist`);
  return host.query(hold(path));
}

async function refuseForeign(host: Host, path: string): Promise<void> {
  if (await sharesExtents(host, path)) return;
  throw new Failure('refused', `cannot compare ${path} by extents: it lies neither on XFS nor on btrfs`, {
    hint: '--engine diff reads everything',
  });
}

/** The older file's map, looked at before and after the newer one's: it must not move meanwhile. */
async function maps(host: Host, old: Held, now: Held): Promise<[ExtentTable, ExtentTable]> {
  const before = await extentsOf(host, old);
  const map = await extentsOf(host, now);
  if (before.equals(await extentsOf(host, old))) return [before, map];
  throw new Failure('busy', `the extents of ${old.path} move while they are looked at`, {
    hint: '--engine diff reads everything',
  });
}

const identity = ({ ino, birthNs, mtimeNs, size }: Held) => ({
  ino: String(ino),
  birthNs: String(birthNs),
  mtimeNs: String(mtimeNs),
  size,
});

/** What differs between two files of one filesystem that shares extents, by their maps alone; as a list of changes. */
export async function compareFiles(host: Host, older: string, newer: string): Promise<ChangeList> {
  const [old, now] = [await held(host, older), await held(host, newer)];
  if (old.dev !== now.dev) throw new Failure('refused', `${older} and ${newer} do not lie on one filesystem`);
  await refuseForeign(host, newer);
  const [before, map] = await maps(host, old, now);
  const common = Math.min(old.size, now.size);
  const grown = now.size > common ? [{ at: common, length: now.size - common }] : [];
  const ranges = widen([...compareMaps(before, map, common), ...grown], clusterSize, now.size);
  const zeros = zerosIn(ranges, map, { align: clusterSize, size: now.size });
  const to = { ...identity(now), ref: null, path: newer };
  old.close();
  now.close();
  const pairs = (list: readonly { at: number; length: number }[]) =>
    list.map(({ at, length }) => [at, length] as [number, number]);
  return { from: identity(old), to, format: 'raw', ranges: pairs(ranges), zeros: pairs(zeros) };
}

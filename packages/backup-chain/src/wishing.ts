import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { compareFiles } from './against.ts';
import { disksOf, hear, pairsOf, placeOf, usage } from './asking.ts';
import { attachmentsOf } from './attachments.ts';
import type { CaptureWish, DiskWish } from './capture.ts';

export interface CaptureFlags {
  vm: string | undefined;
  engine: CaptureWish['engine'];
  full: boolean;
  format: 'raw' | 'qcow2' | undefined;
  uid: string[];
  qmp: string | undefined;
  against: string[];
  consistency: CaptureWish['consistency'] | undefined;
  'max-chain': number;
  verify: boolean;
  at: number | undefined;
  label: string[];
  attach: string[];
  workers: number;
  wait: number;
}

/** A running QEMU is captured by itself alone: what is said of files has no meaning then. */
function refuseMixed({ flags, words }: Call<CaptureFlags>): void {
  const { engine, qmp, against, verify, format } = flags;
  if (qmp === undefined && engine === 'qmp') throw usage('which QEMU?', '--qmp SOCK');
  if (qmp === undefined) return;
  if (engine !== 'auto' && engine !== 'qmp') throw usage(`--qmp is engine qmp, not ${engine}`);
  const mixed = against.length > 0 || verify || format !== undefined || words.includes('-');
  if (mixed) throw usage('--qmp takes neither -, --against, --format nor --verify', 'DISK=NODE');
}

/** A capture run out of words, flags and stdin; what was said wrong is exit 2. */
export async function wishOf(call: Call<CaptureFlags>, root: string): Promise<CaptureWish> {
  const { flags, cwd } = call;
  const heard = await hear(call);
  const uids = pairsOf('--uid', flags.uid);
  refuseMixed(call);
  const live = flags.qmp !== undefined;
  const disks = disksOf({ words: call.words, heard, format: flags.format, uids, cwd: live ? null : cwd });
  const place = placeOf(flags.vm, heard);
  if (disks.length === 0) throw usage('no disk to capture', 'DISK=SOURCE, or - and records on stdin');
  const labels = Object.fromEntries(pairsOf('--label', flags.label));
  const attachments = await attachmentsOf(call.host, pairsOf('--attach', flags.attach), cwd);
  const { engine, full, consistency = live ? 'crash' : 'offline', verify, at, workers, wait } = flags;
  return {
    root,
    qmp: flags.qmp === undefined ? null : resolve(cwd, flags.qmp),
    place,
    disks,
    engine,
    full,
    maxChain: flags['max-chain'],
    consistency,
    verify,
    at,
    workers,
    wait,
    labels,
    attachments,
  };
}

/** The run with lists of changes made by comparing disks with the older revisions that were named. */
export async function againstLists(host: Host, wish: CaptureWish, words: readonly string[]): Promise<CaptureWish> {
  const older = pairsOf('--against', words);
  const unknown = [...older.keys()].find((name) => !wish.disks.some(({ disk }) => disk === name));
  if (unknown !== undefined) throw usage(`--against names ${unknown}, which is not captured`);
  const disks: DiskWish[] = [];
  for (const one of wish.disks) {
    const old = older.get(one.disk);
    disks.push(old === undefined ? one : { ...one, list: await compareFiles(host, old, one.path) });
  }
  return { ...wish, disks };
}

import type { Call } from '@platter/command/call';
import { create, flush, link, sync, truncate } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, lstat } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { hasJournal, headAt, newXfsFeatures } from './filesystem.ts';
import type { Disk } from './found.ts';
import { mkfs, parseXfsVersion, xfsVersionProgram } from './mkfs.ts';
import { mbrOf } from './partition.ts';
import type { Room } from './room.ts';
import { type Opened, surveyed } from './survey.ts';
import type { Target } from './target.ts';
import { failureOf } from './verdict.ts';
import type { NewDisk } from './wish.ts';

/** A disk to make, where, and what random bytes come from. */
export interface Making {
  target: Target;
  room: Room;
  disk: NewDisk;
  random: Call['random'];
  progress: (share: number) => void;
}

/** What was made, as it was read back; null in a dry run. */
export interface Made {
  disk: Disk;
  warnings: string[];
}

/** Builds the disk in the room, reads it back and links it to its name; EEXIST when that was taken in between. */
export async function make(host: Host, making: Making): Promise<Made | null> {
  const { room, target } = making;
  const held = making.disk.format === 'raw' ? await makeRaw(host, making) : await makeQcow2(host, making);
  try {
    const flushed = host.change(held === null ? sync(room.result) : flush(held));
    const [made] = await both(host.dry ? Promise.resolve(null) : readBack(host, making), flushed);
    await host.change(link(room.result, target.path));
    await host.change(sync(target.dir));
    return made && { ...made, disk: { ...made.disk, file: (await host.query(lstat(target.path))) ?? made.disk.file } };
  } finally {
    held?.close();
  }
}

/** Waits for both to end, also when one of them fails: neither may go on with what is closed next. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

/** The result is the raw file itself: made with its mode before there is anything in it. */
async function makeRaw(host: Host, { room, disk, random }: Making): Promise<Held | null> {
  await host.change(create(room.result, tableOf(disk, random), disk.mode));
  const held = await holdNew(host, room.result);
  await format(host, room.result, disk);
  return held;
}

async function makeQcow2(host: Host, { room, disk, random, progress }: Making): Promise<Held | null> {
  if (disk.layout === 'mbr' || disk.fs === 'xfs') await host.change(create(room.raw, tableOf(disk, random), 0o600));
  await format(host, room.raw, disk);
  await host.change(create(room.result, '', disk.mode));
  const held = await holdNew(host, room.result);
  const { convert } = await import('@platter/host/tools/qemu-img');
  await convert(host, { from: { path: room.raw, format: 'raw' }, to: room.result, as: 'qcow2', progress });
  return held;
}

/** Open before the program writes, so that our fsync hears of its failed writes. */
async function holdNew(host: Host, path: string): Promise<Held | null> {
  return host.dry ? null : host.query(hold(path, { write: true }));
}

const tableOf = (disk: NewDisk, random: Call['random']) =>
  disk.layout === 'mbr' ? mbrOf(disk.size, random(4)) : new Uint8Array(0);

/** mkfs.ext4 makes or extends the file itself; mkfs.xfs wants it in full size. */
async function format(host: Host, path: string, disk: NewDisk): Promise<void> {
  if (disk.fs === 'xfs') await host.change(truncate(path, disk.size));
  const version = disk.fs === 'xfs' ? must(xfsVersionProgram, await host.query(xfsVersionProgram)).stdout : '';
  const program = mkfs(path, disk, parseXfsVersion(version));
  const running = host.change(program);
  loadAhead();
  must(program, await running);
}

/** What reads the result is loaded while mkfs runs, and not after. */
const loadAhead = () => void import('./image.ts').catch(() => {});

async function readBack(host: Host, { room, disk, target }: Making): Promise<Made> {
  const question = { path: room.result, raw: disk.format === 'raw', census: false, holder: async () => null };
  return surveyed(host, question, async (found, opened) => {
    if (found.kind !== 'disk') throw differs(target, 'it is not recognised');
    const broken = failureOf(found.findings, `will not keep what was made for ${target.said}`);
    if (broken !== null) throw new Failure('failed', broken.message, { details: broken.details });
    return { disk: found, warnings: await compared(found, opened as Opened, { disk, target }) };
  });
}

const differs = ({ said }: Target, how: string) =>
  new Failure('failed', `what was made for ${said} is not what was asked for: ${how}`, {
    hint: 'the mkfs of this host may be too old; nothing was left behind',
  });

/** Compares what a reader sees with what was asked for; gives what an old guest may not like. */
async function compared(
  found: Disk,
  { guest }: Opened,
  { disk, target }: Pick<Making, 'disk' | 'target'>,
): Promise<string[]> {
  const { filesystems = [], layout } = found.content ?? {};
  const [filesystem] = filesystems;
  const seen = [filesystems.length, filesystem?.type, filesystem?.label, filesystem?.uuid, layout, guest?.size];
  const asked = [1, disk.fs, disk.label, disk.uuid, disk.layout, disk.size];
  const wrong = seen.findIndex((value, index) => value !== asked[index]);
  if (wrong >= 0) throw differs(target, `${seen[wrong]}, not ${asked[wrong]}`);
  const head = await headAt(guest as NonNullable<typeof guest>, filesystem?.offset ?? 0);
  if (disk.fs === 'ext4' && !hasJournal(head)) throw differs(target, 'it has no journal');
  const features = disk.fs === 'xfs' ? newXfsFeatures(head) : [];
  return features.length === 0 ? [] : [`old guests cannot mount it: XFS features ${features.join(', ')}`];
}

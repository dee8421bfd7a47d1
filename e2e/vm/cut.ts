import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempFolder } from '../ground/folder.ts';
import type { Filesystem } from '../ground/probe.ts';
import { told } from '../ground/run.ts';
import { copied, type Disk, format, onDisk, quiet, type Shell, written } from './disk.ts';
import { bootUntilCut } from './machine.ts';
import { flushed, type Write } from './write-log.ts';

/** A verb that the power is cut in. All lines are run in the root of a filesystem that lies at one path here and in the guest. */
export interface Cut {
  /** Each of these is cut, on a disk of its own. */
  on: readonly Filesystem[];
  /** Shell lines that bring the empty filesystem to where the guest takes over. */
  prepare: string;
  /** Shell lines of the guest before the verb. */
  begin: string;
  /** One command, without single quotes. */
  verb: string;
}

/** A disk after a cut. */
export interface Left {
  /** Which cut it was, for messages. */
  cut: string;
  /** The verb had ended before. */
  ended: boolean;
}

/** A disk as the guest finds it. */
async function prepared(disk: Disk, { prepare }: Cut): Promise<Disk> {
  await format(disk);
  const outcome = await onDisk(disk, (shell) => shell(prepare));
  if (outcome.code !== 0) throw new Error(told(['sh'], outcome));
  return disk;
}

const device = (index: number): string => `/dev/vd${String.fromCharCode(97 + index)}`;

/** The verb on each disk in turn, while the guest's kernel writes nothing back of its own accord. */
const guest = (disks: readonly Disk[], { begin, verb }: Cut): string =>
  [
    'modprobe -a xfs btrfs',
    'echo 0 >/proc/sys/vm/dirty_writeback_centisecs',
    'echo 720000 >/proc/sys/fs/xfs/xfssyncd_centisecs',
    ...disks.flatMap(({ filesystem, mount }, i) => [
      `mkdir -p ${mount}`,
      `mount -t ${filesystem} -o ${quiet[filesystem]} ${device(i)} ${mount}`,
      `cd ${mount}`,
      begin,
      `sh -c '${verb}'`,
      'echo unflushed >lost',
    ]),
    'cut_power',
  ].join('\n');

/** The states that one disk was in durably: as it was, and after each flush. */
async function lookAtEach(
  disk: Disk,
  flushes: readonly Write[][],
  look: (left: Left, shell: Shell) => Promise<void>,
): Promise<void> {
  for (let flush = 0; flush <= flushes.length; flush += 1) {
    if (flush > 0) await written(disk, flushes[flush - 1] ?? []);
    const { filesystem, mount } = disk;
    const cut = `${filesystem}, after flush ${flush} of ${flushes.length}`;
    await onDisk(await copied(disk, `${disk.image}-cut`), (shell) => {
      if (existsSync(join(mount, 'lost')))
        throw new Error(`${cut}: what was written last and flushed by nobody is there`);
      return look({ cut, ended: flush === flushes.length }, shell);
    });
  }
}

/**
 * Runs a verb once on each filesystem, on disks that write down what they are asked to write and to flush, and looks at
 * every state that a power cut could leave of a disk whose write cache is lost: what lay there before, and what lay there
 * after each flush. In the last one the verb had ended.
 */
export async function cutAtEachFlush(cut: Cut, look: (left: Left, shell: Shell) => Promise<void>): Promise<void> {
  await using folder = await tempFolder();
  const mount = join(folder.path, 'mnt');
  await mkdir(mount);
  const disks: Disk[] = [];
  for (const filesystem of cut.on)
    disks.push(await prepared({ filesystem, image: join(folder.path, filesystem), mount }, cut));
  const seen = await Promise.all(disks.map((disk) => copied(disk, `${disk.image}-seen`)));
  const logs = seen.map(({ image }) => ({ image, log: `${image}-log` }));
  await bootUntilCut(guest(disks, cut), logs);
  for (const [i, disk] of disks.entries()) await lookAtEach(disk, flushed(await readFile(logs[i]?.log ?? '')), look);
}

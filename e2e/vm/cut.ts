import { existsSync } from 'node:fs';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempFolder } from '../ground/folder.ts';
import { type Outcome, run, succeed, told } from '../ground/run.ts';
import { bootUntilCut } from './machine.ts';

/** A verb that the power is cut in. All lines are run in the root of an XFS that lies at one path here and in the guest. */
export interface Cut {
  /** Shell lines that bring the empty filesystem to where the guest takes over. */
  prepare: string;
  /** Shell lines of the guest before the verb. */
  begin: string;
  /** One command with `-v`, without single quotes. */
  verb: string;
}

/** Where the power went: right before a change of the verb, counted from 1, or when it had ended. */
export interface Mark {
  at: number | 'end';
  /** The shell line of that change. */
  change: string;
}

/** Runs shell lines on what the power cut left. */
export type Shell = (lines: string) => Promise<Outcome>;

/**
 * The marks of a verb by what it tells of its changes: right before each sync that follows another change, where the most
 * is at stake, and its end.
 */
export function marksOf(stderr: string): Mark[] {
  const changes = stderr.split('\n').filter((line) => line.startsWith('+ '));
  const isSync = (change = '') => change.startsWith('+ sync ');
  const syncs = changes.flatMap((change, i) =>
    isSync(change) && !isSync(changes[i - 1]) ? [{ at: i + 1, change }] : [],
  );
  return [...syncs, { at: 'end', change: 'ended' }];
}

interface Site {
  image: string;
  mount: string;
}

/** Uses a filesystem while it is mounted; nouuid, because the disks are copies of one. */
async function onDisk<T>({ image, mount }: Site, use: (shell: Shell) => Promise<T>): Promise<T> {
  await succeed(['mount', '-t', 'xfs', '-o', 'loop,nouuid', '--', image, mount]);
  try {
    return await use((lines) => run(['sh', '-euc', lines], { cwd: mount }));
  } finally {
    await succeed(['umount', '--', mount]);
  }
}

const orThrow = (outcome: Outcome): Outcome => {
  if (outcome.code === 0) return outcome;
  throw new Error(told(['sh'], outcome));
};

async function prepared(site: Site, { prepare }: Cut): Promise<void> {
  await writeFile(site.image, '');
  await truncate(site.image, 300 * 2 ** 20);
  await succeed(['mkfs.xfs', '-q', '--', site.image]);
  await mkdir(site.mount);
  await onDisk(site, async (shell) => orThrow(await shell(prepare)));
}

const copy = (from: string, to: string) => succeed(['cp', '--reflink=auto', '--sparse=always', '--', from, to]);

/** The verb undisturbed, on a copy of its own. */
async function rehearsed(site: Site, { begin, verb }: Cut): Promise<Mark[]> {
  const image = `${site.image}-rehearsed`;
  await copy(site.image, image);
  const { stderr } = await onDisk({ ...site, image }, async (shell) => orThrow(await shell(`${begin}\n${verb}`)));
  return marksOf(stderr);
}

/** The verb on each disk in turn, ended at its mark, while the guest's kernel writes nothing back of its own accord. */
const guest = ({ mount }: Site, { begin, verb }: Cut, marks: readonly Mark[]): string =>
  [
    'modprobe xfs',
    'echo 0 >/proc/sys/vm/dirty_writeback_centisecs',
    'echo 720000 >/proc/sys/fs/xfs/xfssyncd_centisecs',
    `mkdir -p ${mount}`,
    ...marks.flatMap(({ at }, i) => [
      `mount -t xfs -o nouuid /dev/vd${String.fromCharCode(97 + i)} ${mount}`,
      `cd ${mount}`,
      begin,
      `step mark-${at} env ${at === 'end' ? '' : `PLATTER_FAULT=kill@${at}`} sh -c '${verb}'`,
      'echo unflushed >lost',
    ]),
    'cut_power',
  ].join('\n');

export interface Left extends Mark {
  /** Exit code of the verb in the guest: 137 where it was killed. */
  code: number;
  /** Whether a file is there that was written last and flushed by nobody: then the cut lost nothing and shows nothing. */
  unflushed: boolean;
}

/** Cuts the power at every mark of a verb, each on a disk of its own, and looks at what each disk holds after the reboot. */
export async function cutAtEachMark(cut: Cut, look: (left: Left, shell: Shell) => Promise<void>): Promise<void> {
  await using folder = await tempFolder();
  const site = { image: join(folder.path, 'disk'), mount: join(folder.path, 'mnt') };
  await prepared(site, cut);
  const marks = await rehearsed(site, cut);
  const image = (mark: Mark) => `${site.image}-${mark.at}`;
  for (const mark of marks) await copy(site.image, image(mark));
  const steps = await bootUntilCut(guest(site, cut, marks), marks.map(image));
  for (const mark of marks) {
    const code = steps[`mark-${mark.at}`]?.code ?? Number.NaN;
    await onDisk({ ...site, image: image(mark) }, (shell) =>
      look({ ...mark, code, unflushed: existsSync(join(site.mount, 'lost')) }, shell),
    );
  }
}

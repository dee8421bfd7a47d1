import { dirname, resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { remove } from '@platter/host/changes';
import type { Host, Output } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run } from '@platter/host/looks';
import { lastLine, must } from '@platter/host/outcome';
import { convert, heldImage } from '@platter/host/tools/qemu-img';
import type { Filesystem } from './filesystem.ts';
import type { Disk } from './found.ts';
import { framed, frameOf } from './frame.ts';
import { checkSpace } from './place.ts';
import { checkPrograms } from './programs.ts';
import type { Opened } from './survey.ts';
import type { Target } from './target.ts';

/** A filesystem checker: what it is called with, and what its ending says. Gives a warning, or null when all is well. */
interface Checker {
  program: string;
  args: readonly string[];
  judge(output: Output): 'sound' | 'damaged' | 'unchecked' | 'failed';
}

const limit = { timeout: 12 * 3_600_000 };

/** e2fsck repairs the copy, its journal first: read-only it would ignore the journal and call that fine. */
const e2fsck: Checker = {
  program: 'e2fsck',
  args: ['-fp', '--'],
  judge: ({ code }) => (code === 0 || code === 1 ? 'sound' : code === 4 ? 'damaged' : 'failed'),
};

/** xfs_repair -n does not replay the log; when the log holds changes of metadata it cannot tell (its ALERT says so). */
const xfsRepair: Checker = {
  program: 'xfs_repair',
  args: ['-n', '-f', '--'],
  judge: ({ code, stderr, stdout }) => {
    if (/ALERT: The filesystem has valuable metadata changes/.test(stderr + stdout)) return 'unchecked';
    return code === 0 ? 'sound' : code === 1 ? 'damaged' : 'failed';
  },
};

const checkers: Record<string, Checker> = { ext2: e2fsck, ext3: e2fsck, ext4: e2fsck, xfs: xfsRepair };

/** A sound disk, open, and where its copy goes. */
export interface Patient {
  target: Target;
  opened: Opened;
  scratch: string | undefined;
}

/** Checks a copy of every filesystem that there is a checker for; gives warnings about the others. */
export async function fsck(call: Call, disk: Disk, { target, opened, scratch }: Patient): Promise<string[]> {
  const { filesystems = [] } = disk.content ?? {};
  const known = filesystems.filter(({ type }) => type in checkers);
  const others = filesystems.filter(({ type }) => !(type in checkers));
  const programs = known.map(({ type }) => checkers[type]?.program ?? '');
  await checkPrograms(call.host, call.env, ['qemu-img', 'prlimit', ...new Set(programs)]);
  const dir = resolve(call.cwd, scratch ?? dirname(target.path));
  await checkSpace(call.host, dir, dataBytes(disk));
  const frame = frameOf(call, { ...target, dir });
  const said: string[] = [];
  if (known.length > 0)
    await framed(call.host, frame, async ({ raw }) => {
      for (const one of known) said.push(...(await examined(call, one, { target, disk, opened, raw })));
    });
  return [
    ...said,
    ...others.map(({ type, label }) => `${type} "${label}" was not checked: there is no checker for it`),
  ];
}

/** What a sparse copy of the content takes at most. */
const dataBytes = ({ census, file }: Disk): number =>
  census === undefined ? file.allocated : census.dataBytes + census.compressedBytes;

interface Copy {
  target: Target;
  disk: Disk;
  opened: Opened;
  raw: string;
}

async function examined(call: Call, one: Filesystem, { target, disk, opened, raw }: Copy): Promise<string[]> {
  const checker = checkers[one.type] as Checker;
  const length = lengthOf(one, disk, opened);
  const progress = call.progress(`copying ${target.said}`, length);
  const image = heldImage(opened.held, disk.format === 'raw' ? 'raw' : 'qcow2', { at: one.offset, length });
  const update = (share: number) => progress.update(Math.round(share * length));
  await convert(call.host, { from: image, to: raw, as: 'raw', progress: update });
  progress.end();
  const warnings = await judged(call.host, checker, { one, raw, said: target.said });
  await call.host.change(remove(raw));
  return warnings;
}

/** From where the filesystem begins to the end of its partition, or of the disk. */
function lengthOf({ partition, offset }: Filesystem, { content }: Disk, { guest }: Opened): number {
  const place = content?.partitions.find(({ index }) => index === partition);
  return place?.size ?? (guest?.size ?? 0) - offset;
}

async function judged(
  host: Host,
  checker: Checker,
  { one, raw, said }: { one: Filesystem; raw: string; said: string },
) {
  const program = run(checker.program, [...checker.args, raw], limit);
  const output = await host.change(program);
  const verdict = checker.judge(output);
  const what = `${one.type} "${one.label}"`;
  if (verdict === 'failed') must(program, output);
  if (verdict === 'damaged')
    throw new Failure('corrupt', `${said} holds ${what}, which ${checker.program} finds damaged`, {
      details: { said: lastLine({ ...output, stderr: output.stderr || output.stdout }) },
      hint: 'let the guest run fsck, or repair a copy',
    });
  return verdict === 'unchecked' ? [`${what} was not checked: its log holds changes that only a mount replays`] : [];
}

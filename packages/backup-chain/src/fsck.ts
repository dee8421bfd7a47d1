import type { Host, Output, Program } from '@platter/host/door';
import { run } from '@platter/host/looks';
import type { CheckedFilesystem } from './manifest-kinds.ts';

type Verdict = Pick<CheckedFilesystem, 'result' | 'rc'>;

/** A file of a folder that holds one filesystem. */
export interface Place {
  folder: string;
  file: string;
}

interface Checker {
  words: readonly [program: string, ...args: string[]];
  judge(code: number, said: string): CheckedFilesystem['result'];
}

/**
 * It replays the journal, which -n would ignore. Given `FILE?offset=N` it forgets the offset when it opens the file
 * again after that, and calls a filesystem in a partition damaged (1.47): so it is never given one.
 */
const e2fsck: Checker = {
  words: ['e2fsck', '-f', '-p'],
  judge: (code) => (code < 4 ? 'ok' : 'bad'),
};

/** With -n the log is not replayed; when it holds changes nothing can be said (its ALERT). */
const unreplayed = /ALERT: The filesystem has valuable metadata changes/;

const xfsRepair: Checker = {
  words: ['xfs_repair', '-n', '-f'],
  judge: (code, said) => (unreplayed.test(said) ? 'inconclusive' : code === 0 ? 'ok' : 'bad'),
};

const btrfsCheck: Checker = {
  words: ['btrfs', 'check', '--readonly'],
  judge: (code) => (code === 0 ? 'ok' : 'bad'),
};

const checkers: ReadonlyMap<string, Checker> = new Map([
  ...['ext2', 'ext3', 'ext4'].map((type) => [type, e2fsck] as const),
  ['xfs', xfsRepair],
  ['btrfs', btrfsCheck],
]);

/** Whether there is a checker for a type. */
export const isChecked = (type: string): boolean => checkers.has(type);

const hour = 3_600_000;

/** In the folder and by a relative name: e2fsck takes the first `?` of a path for the end of the name. */
function programOf({ words: [program, ...args] }: Checker, { folder, file }: Place): Program {
  return run(program, [...args, file], { cwd: folder, timeout: hour });
}

const judged = (checker: Checker, { code, stdout, stderr }: Output): Verdict =>
  code === null ? { result: 'inconclusive', rc: null } : { result: checker.judge(code, stdout + stderr), rc: code };

/** Checks a filesystem of a type there is a checker for; what is killed or takes longer than an hour tells nothing. */
export async function check(host: Host, type: string, place: Place): Promise<Verdict> {
  const checker = checkers.get(type);
  if (checker === undefined) return { result: 'not-checked', rc: null };
  return judged(checker, await host.change(programOf(checker, place)));
}

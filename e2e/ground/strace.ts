import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempFolder } from './folder.ts';
import { executable, type Outcome, type RunOptions, run } from './run.ts';

export interface Traced extends Outcome {
  /** One system call per line, as strace prints it, of the program and all it started; in the order of their ends. With
   * the file behind each descriptor (`read(3</etc/passwd>, ...)`) and whole paths, but without the data of buffers. */
  calls: string[];
}

/** Joins `f(1 <unfinished ...>` with the same thread's `<... f resumed>, 2) = 0`, and drops the thread ids. */
export function joined(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [, thread = '', call = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (!/^\w+\(|^<\.\.\. \w+ resumed>/.test(call)) return []; // signals and exits
    if (call.endsWith('<unfinished ...>')) {
      begun.set(thread, call.slice(0, -'<unfinished ...>'.length).trimEnd());
      return [];
    }
    return [call.startsWith('<...') ? (begun.get(thread) ?? '') + call.slice(call.indexOf('resumed>') + 8) : call];
  });
}

/** Runs a program under strace. `trace` is strace's own expression, such as `ioctl,openat` or `%network`. */
export async function strace(argv: readonly string[], options: RunOptions & { trace: string }): Promise<Traced> {
  const { trace, ...rest } = options;
  const [word = '', ...words] = argv;
  await using folder = await tempFolder();
  const log = join(folder.path, 'strace');
  const flags = ['-f', '-qq', '--seccomp-bpf', '-y', '-s', '0', '-e', `trace=${trace}`, '-o', log];
  const outcome = await run(['strace', ...flags, '--', executable(word), ...words], rest);
  return { ...outcome, calls: joined((await readFile(log, 'utf8')).split('\n')) };
}

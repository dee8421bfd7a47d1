import type { Host } from '@platter/host/door';
import { run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';

/** So many paths fit one command line. */
const batch = 500;

/** Which files and directories of btrfs have the attribute C: they are overwritten in place (chattr(1)). */
export async function nocow(host: Host, paths: readonly string[]): Promise<Map<string, boolean>> {
  const found = new Map<string, boolean>();
  for (let at = 0; at < paths.length; at += batch) {
    const program = run('lsattr', ['-d', '--', ...paths.slice(at, at + batch)]);
    for (const [path, flag] of parseAttributes(must(program, await host.query(program)).stdout)) found.set(path, flag);
  }
  return found;
}

/** Reads lsattr's lines: the attributes, a blank, the path. */
export function parseAttributes(stdout: string): [path: string, nocow: boolean][] {
  return stdout.split('\n').flatMap((line): [string, boolean][] => {
    const [, flags, path] = /^([A-Za-z-]+) +(\/.*)$/.exec(line) ?? [];
    return flags === undefined || path === undefined ? [] : [[path, flags.includes('C')]];
  });
}

import { readdirSync, readFileSync } from 'node:fs';

export interface Member {
  pid: number;
  name: string;
}

/** proc(5), /proc/pid/stat: the name stands in brackets and may hold any byte; state is the 1st field after it, session the 4th. */
function member(pid: string, session: number): Member[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const [state, , , id] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(id) === session && state !== 'Z' ? [{ pid: Number(pid), name }] : [];
  } catch {
    return []; // it ended while we looked
  }
}

/** The living processes of a session, whoever their parent is now. */
export const members = (session: number): Member[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => member(pid, session));

/** Kills every process of a session that `run` started. */
export function killSession(session: number): void {
  for (const { pid } of members(session)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended before the signal
    }
  }
}

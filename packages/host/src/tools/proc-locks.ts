import type { Host } from '../door.ts';
import { Failure } from '../failure.ts';
import { text } from '../looks.ts';

/** One line of /proc/locks. `end` is Infinity for "EOF"; `pid` is -1 for locks of open files. */
export interface FileLock {
  type: string;
  mode: 'READ' | 'WRITE';
  pid: number;
  major: number;
  minor: number;
  inode: bigint;
  start: number;
  end: number;
}

const line = /^\d+: (?:-> )?(\S+)\s+\S+\s+(READ|WRITE)\s+(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;

/** Reads /proc/locks; device numbers there are hexadecimal. Lines of other shapes (leases) are left out. */
export function parseLocks(content: string): FileLock[] {
  return content.split('\n').flatMap((row) => {
    const [, type, mode, pid, major, minor, inode, start, end] = line.exec(row.trim()) ?? [];
    if (type === undefined || inode === undefined) return [];
    const device = { major: Number.parseInt(major ?? '', 16), minor: Number.parseInt(minor ?? '', 16) };
    const range = { start: Number(start), end: end === 'EOF' ? Number.POSITIVE_INFINITY : Number(end) };
    return [{ type, mode: mode as FileLock['mode'], pid: Number(pid), ...device, inode: BigInt(inode), ...range }];
  });
}

/** All file locks of the host; not being able to read them is "could not tell". */
export async function fileLocks(host: Host): Promise<FileLock[]> {
  const content = await host.query(text('/proc/locks'));
  if (content === null) throw new Failure('failed', 'could not tell who has files open: there is no /proc/locks');
  return parseLocks(content);
}

/** QEMU's image locks are shared open-file locks on single bytes: 100 + permission for use, 200 + permission for refusal. */
const writePermission = 101;

/** Whether some QEMU process has the image with this inode open for writing (block/file-posix.c's byte 101). */
export function writtenByQemu(locks: readonly FileLock[], inode: bigint): boolean {
  return locks.some(
    ({ type, inode: locked, start, end }) =>
      type === 'OFDLCK' && locked === inode && start <= writePermission && end >= writePermission,
  );
}

/** Whether some QEMU process has the image open at all. */
export function usedByQemu(locks: readonly FileLock[], inode: bigint): boolean {
  return locks.some(
    ({ type, inode: locked, start }) => type === 'OFDLCK' && locked === inode && start >= 100 && start < 300,
  );
}

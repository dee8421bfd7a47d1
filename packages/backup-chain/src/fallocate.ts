import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import { run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import type { Range } from './stack.ts';

/** Gives the blocks of a range of an open file back to the filesystem; it reads zero, and the file keeps its size. */
export async function punch(host: Host, held: Held, { at, length }: Range): Promise<void> {
  const unpin = held.pin();
  try {
    const words = ['-p', '-o', String(at), '-l', String(length), '--', '/proc/self/fd/3'];
    const program = run('fallocate', words, { inherit: [held.fd], timeout: 60_000 });
    must(program, await host.change(program));
  } finally {
    unpin();
  }
}

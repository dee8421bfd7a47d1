import type { Host } from '@platter/host/door';
import { hold } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { mapping } from '@platter/host/tools/filefrag';

/** An extent of `filefrag -v -b1`: its length in bytes and its flags. */
const row = /^ *\d+: *\d+\.\. *\d+: *\d+\.\. *\d+: *(\d+):(?: *\d+:)? *([a-z_0-9,]*)$/;

/** Bytes of a file that other files hold too. The map is read as it streams, however long it is. */
export async function sharedBytes(host: Host, path: string): Promise<number> {
  const held = await host.query(hold(path));
  const unpin = held.pin();
  try {
    const sum = summing();
    const program = { ...mapping(held.fd), watch: sum.feed };
    must(program, await host.query(program));
    return sum.total();
  } finally {
    unpin();
    held.close();
  }
}

/** Adds up the shared extents of lines that arrive in pieces. */
export function summing() {
  let [rest, shared] = ['', 0];
  const add = (line: string) => {
    const [, length, flags] = row.exec(line) ?? [];
    if (flags?.split(',').includes('shared')) shared += Number(length);
  };
  const feed = (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(add);
    return true;
  };
  return { feed, total: () => shared };
}

import type { Host } from '../door.ts';
import { type Extent, ExtentTable, type Kind } from '../extents.ts';
import { Failure } from '../failure.ts';
import type { Held } from '../hold.ts';
import { run } from '../looks.ts';
import { must } from '../outcome.ts';

/** Flags of filefrag(8) under which an extent's address says where its bytes are; any other makes it opaque. */
const transparent = new Set(['', 'last', 'eof', 'shared', 'merged', 'unwritten']);

const row = /^ *\d+: *(\d+)\.\. *(\d+): *(\d+)\.\. *(\d+): *(\d+):(?: *\d+:)? *([a-z_0-9,]*)$/;
const other = /^(Filesystem type is|File size of| ext:|.*: \d+ extents? found$|$)/;

function kindOf(flags: readonly string[]): Kind {
  if (!flags.every((flag) => transparent.has(flag))) return 'opaque';
  return flags.includes('unwritten') ? 'zero' : 'data';
}

/** One extent as the filesystem tells it; `shared` when another file maps it too. */
export type Mapping = Extent & { shared: boolean };

/** What takes the mappings of a file, in ascending order, and knows how many it has. */
export interface Sink {
  readonly count: number;
  push(mapping: Mapping): void;
}

/** Reads `filefrag -v -b1` line by line into a sink; a line of an unknown shape is "could not tell". */
export function readRow(line: string, sink: Sink): void {
  const [, first, , physical, , length, words] = row.exec(line) ?? [];
  if (first !== undefined && physical !== undefined && length !== undefined && words !== undefined) {
    const flags = words.split(',');
    const place = { at: Number(first), length: Number(length), address: Number(physical) };
    sink.push({ ...place, kind: kindOf(flags), shared: flags.includes('shared') });
  } else if (!other.test(line))
    throw new Failure('failed', 'could not tell the extents: filefrag printed an unknown line', {
      details: { line: line.slice(0, 120) },
    });
}

/** Lines out of chunks as a pipe delivers them; `end` hands over what follows the last newline. */
function lines(each: (line: string) => void) {
  let rest = '';
  const feed = (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    parts.forEach(each);
  };
  return { feed, end: () => each(rest) };
}

export interface MapLimits {
  /** Milliseconds; two minutes unless given. */
  timeout?: number;
  /** Stops reading once so many extents are known. */
  atMost?: number;
}

/** The program that maps an open file by its descriptor: `-s` flushes first, `-b1` counts bytes, `-v` lists each extent. */
export const mapping = (fd: number, timeout = 120_000) =>
  run('filefrag', ['-s', '-v', '-b1', '--', '/proc/self/fd/3'], { inherit: [fd], timeout });

/** The extents of an open file, flushed first. Failure failed when the filesystem cannot tell them. */
export const extentsOf = (host: Host, held: Held, limits: MapLimits = {}): Promise<ExtentTable> =>
  mapInto(host, held, { ...limits, sink: new ExtentTable() });

/** The same into whatever takes them, which is given back. */
export async function mapInto<S extends Sink>(host: Host, held: Held, to: MapLimits & { sink: S }): Promise<S> {
  const { timeout, atMost = Number.POSITIVE_INFINITY, sink } = to;
  let wrong: unknown;
  const { feed, end } = lines((line) => readRow(line, sink));
  const watch = (chunk: string) => {
    try {
      feed(chunk);
    } catch (error) {
      wrong = error;
    }
    return wrong === undefined && sink.count < atMost;
  };
  const unpin = held.pin();
  try {
    const program = { ...mapping(held.fd, timeout), watch };
    const output = await host.query(program);
    if (wrong !== undefined) throw wrong;
    if (sink.count >= atMost) return sink;
    must(program, output);
    end();
    return sink;
  } finally {
    unpin();
  }
}

import { beside } from '@platter/host/beside';
import { remove } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { greeting, lstat, run } from '@platter/host/looks';
import { graphOf, nbdWords } from './qemu-words.ts';
import type { Stack } from './stack.ts';

const pause = 0.05;
/**
 * Seconds until a daemon must be ready. Opening a graph of backing files takes QEMU 7.2 a time that grows with the cube
 * of their number, flat or nested: 0.5 s for 100, 14 s for 401 (it spells the name of each node out of all below it).
 */
const patience = (files: number): number => (files > 128 ? 300 : 10);

/** What is waited for: whether it is there. */
type Sign = () => Promise<boolean>;

async function until(host: Host, [ready, seconds]: readonly [Sign, number], gone: Promise<never>): Promise<void> {
  for (let waited = 0; waited < seconds; waited += pause) {
    if (await ready()) return;
    await Promise.race([host.query(run('sleep', [String(pause)])), gone]);
  }
  throw new Failure('failed', `qemu-storage-daemon is not ready after ${seconds} s`);
}

interface Service {
  stacks: readonly Stack[];
  /** Words after the graph; `leaves` are the newest nodes of the stacks. */
  words: (leaves: readonly string[]) => string[];
  ready: Sign;
}

/** Runs qemu-storage-daemon over judged chains, by descriptors, while `work` runs. */
export async function withDaemon<T>(
  host: Host,
  { stacks, words, ready }: Service,
  work: (gone: Promise<never>) => Promise<T>,
): Promise<T> {
  const held = stacks.flatMap(({ links }) => links.map((link) => link.held));
  const graph = graphOf(stacks.map(({ links }) => links.length));
  const unpins = held.map((one) => one.pin());
  try {
    const inherit = held.map(({ fd }) => fd);
    const program = run('qemu-storage-daemon', [...graph.words, ...words(graph.leaves)], { inherit });
    return await beside(host, program, async (gone) => {
      await until(host, [ready, patience(held.length)], gone);
      return work(gone);
    });
  } finally {
    for (const unpin of unpins) unpin();
  }
}

/** Takes away a socket that nobody answers on; says what is in the way when it is anything else. */
export async function clearSocket(host: Host, path: string): Promise<string | null> {
  const found = await host.query(lstat(path));
  if (found === null) return null;
  if (found.kind !== 'socket') return 'it is there, and no socket';
  if ((await host.query(greeting(path))) !== null) return 'somebody serves there';
  await host.change(remove(path));
  return null;
}

export interface Exports {
  socket: string;
  /** Chains by the names of their exports. */
  chains: ReadonlyMap<string, Stack>;
}

/** Serves chains read-only over NBD at a free path while `work` runs; no socket is left. */
export async function withNbd<T>(
  host: Host,
  { socket, chains }: Exports,
  work: (gone: Promise<never>) => Promise<T>,
): Promise<T> {
  const words = (leaves: readonly string[]) => nbdWords(socket, [...chains.keys()], leaves);
  // The first bytes come when every export is there: before, the daemon listens and says nothing.
  const ready = async () => (await host.query(greeting(socket)))?.startsWith('NBDMAGIC') ?? false;
  try {
    return await withDaemon(host, { stacks: [...chains.values()], words, ready }, work);
  } finally {
    await clearSocket(host, socket);
  }
}

import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { clearSocket, withNbd } from './daemon.ts';
import { nbdUri } from './qemu-words.ts';
import { openSources, type Source, type SourceFlags } from './sources.ts';
import type { Stack } from './stack.ts';

export interface ServeFlags extends SourceFlags {
  socket: string | undefined;
}

/** unix(7): sun_path, less the zero at its end. */
const longest = 107;

/** The path to serve at: 2 when none was said or the kernel has no room for it, 3 when something is in the way. */
async function freeSocket({ flags, cwd, host }: Call<ServeFlags>): Promise<string> {
  if (flags.socket === undefined) throw new Failure('usage', 'serve where?', { hint: '--socket PATH' });
  const path = resolve(cwd, flags.socket);
  if (Buffer.byteLength(path) > longest)
    throw new Failure('usage', `--socket: the path of a socket has at most ${longest} bytes: ${path}`);
  const obstacle = await clearSocket(host, path);
  if (obstacle !== null)
    throw new Failure('refused', `will not serve at ${path}: ${obstacle}`, { hint: 'another --socket' });
  return path;
}

/** Loose files have no name for their disk. */
const nameOf = ({ disk }: Source): string => disk ?? 'disk';

function nbdRecord(address: string, socket: string, chains: ReadonlyMap<string, Stack>) {
  const exports = [...chains].map(([name, { virtualSize }]) => ({ name, size: virtualSize }));
  const metadata = { name: address };
  return { apiVersion: 'platter.dev/v1' as const, kind: 'Nbd' as const, metadata, uri: nbdUri(socket), exports };
}

/** Serves the disks that the words mean, read-only over NBD, until a signal comes. */
export async function serve(call: Call<ServeFlags>): Promise<void> {
  const socket = await freeSocket(call);
  const { sources } = await openSources(call);
  const address = sources.length === 1 ? (sources[0]?.name ?? '') : (call.words[0] ?? '');
  const chains = new Map(sources.map((source) => [nameOf(source), source.stack]));
  await withNbd(call.host, { socket, chains }, async (gone) => {
    const text = [...chains.keys()].map((name) => nbdUri(socket, name));
    await call.emit(nbdRecord(address, socket, chains), { text, name: address });
    return gone;
  });
}

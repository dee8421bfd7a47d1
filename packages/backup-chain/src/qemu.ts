import type { Call } from '@platter/command/call';
import { flush, truncate } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import { convert, type Image } from '@platter/host/tools/qemu-img';
import { withNbd } from './daemon.ts';
import { chainNode, namedNode, nbdUri } from './qemu-words.ts';
import { inScratch, scratchNames } from './scratch.ts';
import type { Stack } from './stack.ts';

/** Without -n a mistyped device becomes a file; other cache modes lose write errors. */
export const convertWords = ['-n', '-t', 'none', '-T', 'writeback', '-m', '16', '-W'];

/** More links than one nested node is made of. */
const deepest = 128;

/** The chain as qemu-img reads it: one nested node over descriptors, or served by a daemon when it is too deep for that. */
async function asImage(call: Call<unknown>, stack: Stack, work: (from: Image) => Promise<void>): Promise<void> {
  const held = stack.links.map((link) => link.held);
  if (held.length <= deepest) return work({ node: chainNode(held.length), held });
  const parent = call.env.TMPDIR || '/tmp';
  await inScratch(call, { parent, for: 'restore', id: 'deep' }, (folder) => {
    const socket = `${folder}/${scratchNames.socket}`;
    const exports = { socket, chains: new Map([['disk', stack]]) };
    return withNbd(call.host, exports, () => work({ path: nbdUri(socket, 'disk'), format: 'raw' }));
  });
}

/** Lets qemu-img copy a chain of judged files, by descriptors, to a target that is there; then makes it durable. */
export async function convertStack(call: Call<unknown>, stack: Stack, target: Held): Promise<void> {
  const progress = call.progress('restore', stack.virtualSize);
  const report = (share: number) => progress.update(Math.round(share * stack.virtualSize));
  await asImage(call, stack, (from) =>
    convert(call.host, { from, to: target.path, as: 'raw', words: convertWords, progress: report }),
  );
  progress.end();
  // qemu-img writes whole blocks past the end of a file that ends inside one.
  if (target.kind === 'file') await call.host.change(truncate(target.path, stack.virtualSize));
  await call.host.change(flush(target));
}

/** Shows in a dry run, as programs, what a restore does; it needs no scratch space. */
export async function showConversion(host: Host, stack: Stack, path: string): Promise<void> {
  const words = ['convert', ...convertWords, '-O', 'raw', namedNode(stack), path];
  await host.change({ op: 'run', program: 'qemu-img', args: words });
  await host.change({ op: 'sync', path });
}

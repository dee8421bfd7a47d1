import type { Call } from '@platter/command/call';
import { flush, truncate } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import { convert } from '@platter/host/tools/qemu-img';
import { chainNode, namedNode } from './qemu-words.ts';
import type { Stack } from './stack.ts';

/** Without -n a mistyped device becomes a file; other cache modes lose write errors. */
export const convertWords = ['-n', '-t', 'none', '-T', 'writeback', '-m', '16', '-W'];

/** Lets qemu-img copy a chain of judged files, by descriptors, to a target that is there; then makes it durable. */
export async function convertStack(call: Call<unknown>, stack: Stack, target: Held): Promise<void> {
  const progress = call.progress('restore', stack.virtualSize);
  const from = { node: chainNode(stack.links.length), held: stack.links.map(({ held }) => held) };
  const report = (share: number) => progress.update(Math.round(share * stack.virtualSize));
  await convert(call.host, { from, to: target.path, as: 'raw', words: convertWords, progress: report });
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

import { create } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat, stat } from '@platter/host/looks';
import { Writer } from '@platter/qcow2/writer';
import { withDaemon } from './daemon.ts';
import { overlayWords } from './qemu-words.ts';
import { scratchNames } from './scratch.ts';
import type { Stack } from './stack.ts';

/** An image that shows all of its backing file. */
function emptyOverlay(virtualSize: number): Uint8Array {
  const blocks = [...new Writer({ virtualSize, type: 'incremental' }).finish()];
  const file = new Uint8Array(Math.max(...blocks.map(({ at, bytes }) => at + bytes.length)));
  for (const { at, bytes } of blocks) file.set(bytes, at);
  return file;
}

/** 6 where the kernel has no filesystems in user space. */
export async function refuseWithoutFuse(host: Host): Promise<void> {
  if ((await host.query(lstat('/dev/fuse'))) !== null) return;
  throw new Failure('unsupported', 'there is no /dev/fuse to show an overlay through', {
    hint: 'modprobe fuse, or --via scratch',
  });
}

/** Shows a chain as one file that can be written, in a scratch folder, while `work` runs; what is written is lost. */
export async function withOverlay<T>(
  host: Host,
  { folder, stack }: { folder: string; stack: Stack },
  work: () => Promise<T>,
): Promise<T> {
  const [overlay, shown] = [`${folder}/${scratchNames.overlay}`, `${folder}/${scratchNames.export}`];
  await host.change(create(overlay, emptyOverlay(stack.virtualSize), 0o600));
  await host.change(create(shown, '', 0o600));
  const below = (await host.query(stat(folder)))?.dev;
  const ready = async () => (await host.query(stat(shown)))?.dev !== below;
  const words = ([leaf = '']: readonly string[]) => overlayWords(leaf, { overlay, shown });
  return withDaemon(host, { stacks: [stack], words, ready }, work);
}

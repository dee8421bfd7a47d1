import { create } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { lstat, stat } from '@platter/host/looks';
import { emptyImage } from '@platter/qcow2/empty';
import { withDaemon } from './daemon.ts';
import { overlayWords } from './qemu-words.ts';
import { scratchNames } from './scratch.ts';
import type { Stack } from './stack.ts';

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
  await host.change(create(overlay, emptyImage(stack.virtualSize), 0o600));
  await host.change(create(shown, '', 0o600));
  const below = (await host.query(stat(folder)))?.dev;
  const ready = async () => (await host.query(stat(shown)))?.dev !== below;
  const words = ([leaf = '']: readonly string[]) => overlayWords(leaf, { overlay, shown });
  return withDaemon(host, { stacks: [stack], words, ready }, work);
}

import type { Image } from './images.ts';
import type { FileStatus } from './records.ts';

/**
 * Whether every byte the VG may write has its block already. `shared` bytes are also another file's, so that the next
 * write to them needs new blocks; null when nobody looked.
 */
export function promiseOf(
  { sidecar, file }: Pick<Image, 'sidecar' | 'file'>,
  shared: number | null,
): FileStatus['promise'] {
  if (sidecar.allocation === 'sparse') return 'none';
  if (sidecar.allocation === 'trimmed') return 'trimmed';
  if (file === null) return 'unknown';
  return file.allocated >= sidecar.size && !shared ? 'kept' : 'broken';
}

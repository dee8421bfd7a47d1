import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { lstat } from '@platter/host/looks';
import { containerOf } from './container.ts';
import { holders } from './machine.ts';
import type { Pool } from './pool.ts';
import type { ImageFacts } from './sidecar.ts';

/** How the bytes of a source come in. */
export interface IntakeWish {
  share: boolean;
  copy: boolean;
  live: boolean;
  raw: boolean;
  size: number | null;
  sha256: string | null;
}

export type Method = 'reflink' | 'copy' | 'stream' | 'session';

/** What was put under the temporary name. A digest only where somebody asked, or all bytes went through us. */
export interface Taken {
  method: Method;
  size: number;
  sha256: string | null;
  /** `crash` of a file that may have been written meanwhile. */
  consistency: ImageFacts['consistency'];
  /** The file that holds these bytes already; null for a stream. */
  from: string | null;
}

/** Refuses what is no raw image of whole sectors at rest. */
export async function checkSource(pool: Pool, held: Held, { raw, live }: IntakeWish): Promise<void> {
  const { path, kind, size } = held;
  if (kind !== 'file')
    throw new Failure('refused', `will not import ${path}: it is a device`, {
      hint: `cat ${path} | reflink-pool import VOL -`,
    });
  checkLength(path, size);
  if (!raw) await refuseContainer(held);
  const stat = await pool.host.query(lstat(path));
  const users = stat === null || live ? [] : await holders(pool, { ...stat, path });
  if (users.length === 0) return;
  throw new Failure('busy', `will not import ${path}: it is in use`, {
    details: { by: users.join('\n') },
    hint: '--live takes it as after a power cut',
  });
}

/** A loop device drops what does not fill a sector, so such an image would lose its end. */
export function checkLength(path: string, size: number): void {
  if (size > 0 && size % 512 === 0) return;
  throw new Failure('refused', `will not import ${path}: ${size} bytes are no whole number of sectors of 512`);
}

/** Refuses a file that begins or ends like a container. */
export async function refuseContainer(held: Held): Promise<void> {
  const bytes = source(held);
  const [start, end] = [await bytes.read(0, 512), await bytes.read(held.size - 512, 512)];
  refuseFormat(held.path, containerOf(start, end));
}

/** A container is no disk: its header would be what the guest sees. */
export function refuseFormat(path: string, format: string | null): void {
  if (format === null) return;
  throw new Failure('refused', `will not import ${path}: it is a ${format} file, not a raw image`, {
    hint: 'convert it with disk-tools, or --format raw to take its bytes as they are',
  });
}

import { createHash } from 'node:crypto';
import { Failure } from '@platter/host/failure';
import { fill, hold } from '@platter/host/looks';
import type { Pool } from './pool.ts';
import type { Image } from './volume.ts';

const chunk = 1024 * 1024;

/** The SHA-256 of an image, in hex, read a mebibyte at a time; Failure busy when it is not the same all the while. */
export async function sha256Of({ host }: Pool, image: Image, read: (bytes: number) => void): Promise<string> {
  const held = await host.query(hold(image.path));
  const [hash, buffer] = [createHash('sha256'), Buffer.allocUnsafeSlow(chunk)];
  try {
    for (let at = 0; at < held.size; at += chunk) {
      const part = buffer.subarray(0, Math.min(chunk, held.size - at));
      await host.query(fill(held, part, at));
      hash.update(part);
      read(part.length);
    }
    if (held.ino !== image.ino || held.mtimeNs !== image.mtimeNs || !held.same())
      throw new Failure('busy', `${image.path} was replaced or written while it was read`, { hint: 'try again' });
  } finally {
    held.close();
  }
  return hash.digest('hex');
}

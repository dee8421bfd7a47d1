import { createHash } from 'node:crypto';
import { create, pour, truncate } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { hold, run } from '@platter/host/looks';
import { containerOf } from './container.ts';
import type { Pool } from './pool.ts';
import { checkLength, type IntakeWish, refuseFormat, type Taken } from './source.ts';
import { blocksOf } from './stream.ts';

/** The same by a program, for a dry run: stdin is read there, but not poured. */
const poured = (temp: string) =>
  run('dd', [`of=${temp}`, 'bs=64K', 'iflag=fullblock', 'conv=notrunc,sparse', 'status=none']);

/** Writes stdin to a temporary name; runs of zeros stay holes. */
export async function takeStream(pool: Pool, temp: string, wish: IntakeWish): Promise<Taken> {
  const { host, call } = pool;
  const hash = createHash('sha256');
  await host.change(because(create(temp, '', 0o600), 'what stdin holds'));
  if (host.dry) await host.change(poured(temp));
  const meter = wish.size === null ? null : call.progress('import', wish.size);
  const target = host.dry ? null : await host.query(hold(temp, { write: true }));
  let size = 0;
  let [first, last] = [new Uint8Array(), new Uint8Array()];
  try {
    for await (const { bytes, pieces } of blocksOf(call.stream())) {
      hash.update(bytes);
      if (size === 0) first = bytes.slice(0, 512);
      last = Buffer.concat([last, bytes.subarray(-512)]).subarray(-512);
      size += bytes.length;
      meter?.update(size);
      if (target !== null && pieces.length > 0) await host.change(pour(target, pieces, 1));
    }
  } finally {
    meter?.end();
    target?.close();
  }
  checkLength('stdin', size);
  if (!wish.raw) refuseFormat('stdin', containerOf(first, last));
  await host.change(truncate(temp, size));
  return { method: 'stream', size, sha256: hash.digest('hex'), consistency: null, from: null };
}

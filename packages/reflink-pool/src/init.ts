import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { formatInstant } from '@platter/units/instant';
import { familiesIn } from './families.ts';
import { founded, poolAt } from './founding.ts';
import { createdPolicy } from './policy.ts';
import type { Pool } from './pool.ts';
import type { PoolFile } from './sidecar.ts';

/** What the person wants of a new pool. */
export interface InitWish {
  allowCopy: boolean;
  reserve: number;
  prepare: 'auto' | 'never';
}

/** Makes a directory a pool; says whether it was one already. */
export async function init(
  call: Pool['call'],
  path: string,
  wish: InitWish,
): Promise<{ pool: Pool; already: boolean }> {
  const { pool, there } = await poolAt(call, path, settingsOf(call, wish));
  if (there) return { pool, already: true };
  await refuseImages(call.host, path);
  return founded(pool, wish.allowCopy);
}

/** The settings of a new pool; its backend is what the probe finds. */
export const settingsOf = (
  { uuid, now }: Pool['call'],
  { reserve, prepare }: Pick<InitWish, 'reserve' | 'prepare'>,
): PoolFile => ({
  kind: 'PoolFile',
  format: 1,
  uuid: uuid(),
  createdAt: formatInstant(now()),
  backend: 'reflink',
  policy: createdPolicy,
  prepare,
  reserveBytes: reserve,
  calibration: null,
});

async function refuseImages(host: Host, path: string): Promise<void> {
  const [first] = await familiesIn(host, path);
  if (first === undefined) return;
  throw new Failure('refused', `will not make ${path} a pool: it holds images already`, {
    details: { by: first },
    hint: `reflink-pool adopt --pool ${path}`,
  });
}

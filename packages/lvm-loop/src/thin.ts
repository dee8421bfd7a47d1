import { lvm, type Scope } from './lvm.ts';
import type { Lv, Vg } from './reports.ts';
import type { Session } from './session.ts';
import type { ThinPoolSpec } from './spec.ts';
import { make } from './steps.ts';

export interface Pools {
  vg: Vg;
  lvs: readonly Lv[];
  pools: readonly ThinPoolSpec[];
}

/** Makes the thin pools that are wanted and are not there, and extends those that are smaller; none is ever shrunk. */
export async function growThinPools(session: Session, scope: Scope, { vg, lvs, pools }: Pools): Promise<void> {
  for (const pool of pools) {
    const words = poolWords(
      vg,
      lvs.find(({ name }) => name === pool.name),
      pool,
    );
    if (words === null) continue;
    const deed = { step: words[0] as string, object: pool.name, reason: 'the thin pool is to have its size' };
    await make(session, deed, [lvm(session.lvm, scope, words)]);
  }
}

/** The command that brings one pool to its size; null when it has it. `N%` is a share of the VG when the pool is made. */
export function poolWords(vg: Vg, lv: Lv | undefined, { name, size }: ThinPoolSpec): string[] | null {
  const all = 'percent' in size && size.percent === 100;
  if (lv === undefined) return ['lvcreate', '--type', 'thin-pool', '-n', name, ...sizeWords(size), vg.name];
  if (all) return vg.free > 0 ? ['lvextend', '-l', '+100%FREE', `${vg.name}/${name}`] : null;
  if ('percent' in size || lv.size >= size.bytes) return null;
  return ['lvextend', '-L', `${size.bytes}b`, `${vg.name}/${name}`];
}

function sizeWords(size: ThinPoolSpec['size']): string[] {
  if ('bytes' in size) return ['-L', `${size.bytes}b`];
  return ['-l', size.percent === 100 ? '100%FREE' : `${size.percent}%VG`];
}

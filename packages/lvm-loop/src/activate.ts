import { Failure } from '@platter/host/failure';
import { lvm, type Scope } from './lvm.ts';
import type { Lv, Vg } from './reports.ts';
import type { Session } from './session.ts';
import { prove } from './steps.ts';
import { readVg } from './vg.ts';

/** `vgchange -ay` may check a thin pool for minutes. */
const patience = 600_000;

const idle = ({ active, hidden, skipped }: Lv) => !active && !hidden && !skipped;

/** A VG and its logical volumes. */
export interface Volumes {
  vg: Vg;
  lvs: readonly Lv[];
}

/** Activates the logical volumes of a complete VG. Without device-mapper there is nothing that could be. */
export async function activate(session: Session, scope: Scope, { vg, lvs }: Volumes): Promise<void> {
  if (!lvs.some(idle)) return;
  if (!session.lvm.dm)
    throw new Failure('unsupported', `${vg.name} is attached, not activated: this kernel has no device-mapper`, {
      hint: 'modprobe dm-mod, or --no-activate',
    });
  const deed = { step: 'activate', object: vg.name, reason: `${lvs.filter(idle).length} of its LVs are not active` };
  const program = { ...lvm(session.lvm, scope, ['vgchange', '-ay', '-S', `vg_uuid=${vg.uuid}`]), timeout: patience };
  await prove(session, { deed, program }, async () => {
    const { lvs: now } = await readVg(session, scope);
    return now.some(idle) ? `${now.find(idle)?.name} is not active` : null;
  });
}

/** Deactivates the logical volumes of a VG; one that somebody has open is busy. */
export async function deactivate(session: Session, scope: Scope, { vg, lvs }: Volumes): Promise<void> {
  const open = lvs.filter((lv) => lv.open && !lv.hidden && lv.type !== 'thin-pool');
  if (open.length > 0)
    throw new Failure('busy', `${vg.name} is in use: ${open.map(({ name }) => name).join(', ')} open`, {
      hint: 'unmount or stop what uses it, then try again',
    });
  if (!lvs.some(({ active }) => active)) return;
  const deed = { step: 'deactivate', object: vg.name, reason: 'its loops are to go' };
  const program = { ...lvm(session.lvm, scope, ['vgchange', '-an', '-S', `vg_uuid=${vg.uuid}`]), timeout: patience };
  await prove(session, { deed, program }, async () => {
    const { lvs: now } = await readVg(session, scope);
    return now.some(({ active }) => active) ? 'some of its LVs are still active' : null;
  });
}

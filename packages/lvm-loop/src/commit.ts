import { type Beside, writeSidecar } from './create.ts';
import { lvm, modern, type Scope } from './lvm.ts';
import type { Vg } from './reports.ts';
import type { Session } from './session.ts';
import type { Sidecar } from './sidecar.ts';
import { sidecarText } from './sidecar.ts';
import { prove } from './steps.ts';
import { readPvs, type VgFacts } from './vg.ts';

/** The VG to make, or to extend, by PVs on these devices. */
export interface Commit {
  scope: Scope;
  devices: readonly string[];
  /** Of the first new file; tells what the group is. */
  sidecar: Sidecar;
}

/** Hints for people; nothing is decided on them. */
function tagsOf({ group, groupId, source }: Sidecar): string[] {
  const foreign = ['storage.deckhouse.io/enabled=true', `storage.deckhouse.io/lvmVolumeGroupName=${group}`];
  const tags = [
    'platter.dev/lvm-loop',
    `platter.dev/group-id=${groupId}`,
    ...(source === 'LVMVolumeGroup' ? foreign : []),
  ];
  return tags.flatMap((tag) => ['--addtag', tag]);
}

/** One command makes the VG of all new PVs: the moment from which the group is there. */
export async function createVg(
  session: Session,
  { scope, devices, sidecar }: Commit,
  extentSize: number,
): Promise<void> {
  const later = modern(session.lvm) ? ['--setautoactivation', 'n'] : [];
  const options = ['--physicalextentsize', `${extentSize}b`, ...later, ...tagsOf(sidecar)];
  const words = ['vgcreate', ...options, '--', sidecar.vgName, ...devices];
  const deed = { step: 'vgcreate', object: sidecar.vgName, reason: 'its files are PVs now' };
  await prove(session, { deed, program: lvm(session.lvm, scope, words) }, () => outside(session, scope, devices));
}

/** One command extends the VG by all new PVs. */
export async function extendVg(session: Session, { scope, devices, sidecar }: Commit): Promise<void> {
  const words = ['vgextend', '--', sidecar.vgName, ...devices];
  const deed = { step: 'vgextend', object: sidecar.vgName, reason: 'new files are PVs now' };
  await prove(session, { deed, program: lvm(session.lvm, scope, words) }, () => outside(session, scope, devices));
}

async function outside(session: Session, scope: Scope, devices: readonly string[]): Promise<string | null> {
  const pvs = await readPvs(session, scope);
  const left = devices.filter((device) => pvs.find(({ name }) => name === device)?.vgName === '');
  return left.length === 0 ? null : `${left.join(', ')} in no VG`;
}

/** What a group's sidecars say from now on, where somebody said so. */
export interface Choices {
  vgUuid: string | null;
  activate: boolean | null;
  directIO: 'auto' | 'off' | null;
}

/** Records what became true: members of the VG are ready and know its UUID, and choices are kept. */
export async function settle(
  session: Session,
  images: readonly Beside[],
  { vgUuid, ...choices }: Choices,
): Promise<void> {
  for (const { path, sidecar } of images) {
    const activate = choices.activate ?? sidecar.activate;
    const directIO = choices.directIO ?? sidecar.directIO;
    const phase = sidecar.phase === 'creating' ? 'ready' : sidecar.phase;
    const settled: Sidecar = { ...sidecar, phase, vgUuid, activate, directIO };
    if (sidecarText(settled) === sidecarText(sidecar)) continue;
    const deed = { step: 'sidecar', object: sidecar.file, reason: 'what became of it' };
    await writeSidecar(session, deed, { path, sidecar: settled });
  }
}

/** The images whose PVs are in the VG. */
export function members<I extends Beside>(images: readonly I[], { pvs }: VgFacts, vg: Vg): I[] {
  const inside = new Set(pvs.filter(({ vgUuid }) => vgUuid === vg.uuid).map(({ uuid }) => uuid));
  return images.filter(({ sidecar }) => inside.has(sidecar.pvUuid));
}

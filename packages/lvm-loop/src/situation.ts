import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { stat } from '@platter/host/looks';
import type { Image } from './images.ts';
import { everyVg } from './lvm.ts';
import { rowsOf } from './reports.ts';
import type { Session } from './session.ts';
import type { GroupSpec } from './spec.ts';
import { stateOf } from './state.ts';
import type { Found, Group } from './survey.ts';

export type GroupPhase = 'removing' | 'cloning' | 'creating' | 'ready';

/** What the sidecars of a group say together; a lone `creating` is an unfinished extension. */
export function groupPhase(images: readonly Image[]): GroupPhase {
  const phases = images.map(({ sidecar }) => sidecar.phase);
  if (phases.includes('removing')) return 'removing';
  if (phases.includes('cloning')) return 'cloning';
  return phases.length > 0 && phases.every((phase) => phase === 'creating') ? 'creating' : 'ready';
}

/** Why a group is served by no verb but the one that must be finished; null when it may be. */
export function unfinished({ name, images }: Group): Failure | null {
  const phase = groupPhase(images);
  if (phase === 'ready' || phase === 'creating') return null;
  const hint = `lvm-loop remove ${name} --confirm=${name}`;
  const what = phase === 'removing' ? 'being removed' : 'being cloned';
  return new Failure('refused', `the group ${name} is ${what}, and that was not finished`, { hint });
}

/** What cannot be told or read about a group; null when everything could. */
export const obscured = ({ unknown, unreadable }: Group): Failure | null =>
  unknown[0]?.failure ?? unreadable[0]?.failure ?? null;

/** The first thing that forbids changing a group that is there; null when nothing does. */
export function groupRefusal(group: Group): Failure | null {
  const states = group.images.map(stateOf);
  const wrong = states.find((state) => state.is === 'wrong');
  return obscured(group) ?? unfinished(group) ?? wrong?.failure ?? null;
}

/** Where a spec asks for something else than what a group was made with. */
export function conflict(spec: GroupSpec, images: readonly Image[]): Failure | null {
  const refused = (what: string, is: unknown, wanted: unknown) =>
    new Failure('refused', `will not change the ${what} of ${spec.name} from ${is} to ${wanted}`);
  for (const { sidecar } of images) {
    if (spec.vgName !== null && spec.vgName !== sidecar.vgName) return refused('VG name', sidecar.vgName, spec.vgName);
    if (spec.sectorSize !== null && spec.sectorSize !== sidecar.sectorSize)
      return refused('sector size', sidecar.sectorSize, spec.sectorSize);
    if (sidecar.phase === 'leaving' && spec.files.some(({ name }) => name === sidecar.file))
      return new Failure('refused', `${spec.name}/${sidecar.file} is being removed`, {
        hint: `lvm-loop remove ${spec.name}/${sidecar.file} --confirm=${spec.name}/${sidecar.file}`,
      });
  }
  return null;
}

/** Refuses a name for a new VG that the host, another group of ours, or something in /dev has already. */
export async function checkVgName(session: Session, vgName: string, found: readonly Found[]): Promise<void> {
  const { host, lvm } = session;
  const hint = 'choose another one with --vg';
  const program = everyVg(lvm);
  const same = rowsOf('vg', program, await host.query(program)).find((row) => row.vg_name === vgName);
  if (same !== undefined)
    throw new Failure('refused', `there is a VG ${vgName} already`, { details: { uuid: same.vg_uuid ?? '' }, hint });
  const other = found.find(({ sidecar }) => typeof sidecar !== 'string' && sidecar.vgName === vgName);
  if (other !== undefined) throw new Failure('refused', `the group ${other.group} has the VG name ${vgName}`, { hint });
  await checkDevName(host, vgName, hint);
}

async function checkDevName(host: Host, vgName: string, hint: string): Promise<void> {
  if ((await host.query(stat(`/dev/${vgName}`))) === null) return;
  throw new Failure('refused', `/dev/${vgName} is there: LVM could not show the VG ${vgName}`, { hint });
}

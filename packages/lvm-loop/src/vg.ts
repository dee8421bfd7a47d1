import { Failure } from '@platter/host/failure';
import type { Image } from './images.ts';
import { report, type Scope } from './lvm.ts';
import { type Lv, lvColumns, lvOf, type Pv, pvColumns, pvOf, rowsOf, type Vg, vgColumns, vgOf } from './reports.ts';
import type { Session } from './session.ts';

/** What LVM sees on the loops of one group. */
export interface VgFacts {
  pvs: readonly Pv[];
  vgs: readonly Vg[];
  lvs: readonly Lv[];
}

export const nothing: VgFacts = { pvs: [], vgs: [], lvs: [] };

/** Reads what LVM sees on these loops; a loop without a row is "could not tell". */
export async function readVg(session: Session, scope: Scope): Promise<VgFacts> {
  if (scope.devices.length === 0) return nothing;
  const [pvs, vgs, lvs] = await Promise.all([
    rows(session, scope, { kind: 'pv', words: ['pvs', '-a', '-o', pvColumns] }),
    rows(session, scope, { kind: 'vg', words: ['vgs', '-o', vgColumns] }),
    rows(session, scope, { kind: 'lv', words: ['lvs', '-a', '-o', lvColumns] }),
  ]);
  const facts = { pvs: pvs.map(pvOf), vgs: vgs.map(vgOf), lvs: lvs.map(lvOf) };
  const unseen = scope.devices.find((device) => !facts.pvs.some(({ name }) => name === device));
  if (unseen === undefined) return facts;
  throw new Failure('failed', `could not tell what is on ${unseen}: LVM does not show it`);
}

/** The same of PVs alone. */
export async function readPvs(session: Session, scope: Scope): Promise<Pv[]> {
  return (await rows(session, scope, { kind: 'pv', words: ['pvs', '-a', '-o', pvColumns] })).map(pvOf);
}

interface Asked {
  kind: string;
  words: string[];
}

async function rows({ host, lvm }: Session, scope: Scope, { kind, words }: Asked) {
  const program = report(lvm, scope, words);
  return rowsOf(kind, program, await host.query(program));
}

/** The write counter of the VG as each image alone tells it; null: it tells none (no metadata area in use). */
export async function readMoments(session: Session, scope: Scope): Promise<(number | null)[]> {
  if (scope.devices.length < 2) return [];
  return Promise.all(
    scope.devices.map(async (device) => {
      const alone = { ...scope, devices: [device] };
      const [vg] = await rows(session, alone, { kind: 'vg', words: ['vgs', '-o', 'vg_name,vg_seqno'] });
      return vg === undefined ? null : Number(vg.vg_seqno);
    }),
  );
}

/** The VG of our images: the one whose UUID is recorded, else the one that one of our PVs is in. */
export function vgOfGroup(images: readonly Pick<Image, 'sidecar'>[], { vgs, pvs }: VgFacts): Vg | null {
  const ours = new Set(images.map(({ sidecar }) => sidecar.pvUuid));
  const uuids = new Set(images.flatMap(({ sidecar }) => sidecar.vgUuid ?? []));
  for (const { uuid, vgUuid } of pvs) if (ours.has(uuid) && vgUuid !== '') uuids.add(vgUuid);
  return vgs.find(({ uuid }) => uuids.has(uuid)) ?? null;
}

/** What forbids every LVM write and activation; null when the VG is whole and ours. */
export function groupFault(images: readonly Image[], facts: VgFacts): Failure | null {
  const vg = vgOfGroup(images, facts);
  if (vg === null) return null;
  return lost(vg, images) ?? strange(vg, images, facts) ?? shrunken(facts) ?? claimed(vg);
}

function lost(vg: Vg, images: readonly Image[]): Failure | null {
  if (vg.missing === 0) return null;
  const details = { here: images.map(({ path }) => path).join(', ') };
  return new Failure('corrupt', `${vg.name} misses ${vg.missing} of its ${vg.pvs} PVs`, {
    details,
    hint: 'name the directories of all its images with --dir',
  });
}

function strange(vg: Vg, images: readonly Image[], { pvs, vgs }: VgFacts): Failure | null {
  const ours = new Set(images.map(({ sidecar }) => sidecar.pvUuid));
  const alien = pvs.find(({ uuid, vgUuid }) => vgUuid === vg.uuid && !ours.has(uuid));
  if (alien !== undefined) return new Failure('refused', `the PV ${alien.uuid} of ${vg.name} is not ours`);
  const other = images.find(({ sidecar }) => sidecar.vgUuid !== null && sidecar.vgUuid !== vg.uuid);
  const details = { has: vg.uuid, recorded: String(other?.sidecar.vgUuid) };
  if (other !== undefined) return new Failure('refused', `${vg.name} is another VG than was recorded`, { details });
  return vgs.length === 1 ? null : new Failure('refused', `the images of ${vg.name} belong to several VGs`);
}

function shrunken({ pvs }: VgFacts): Failure | null {
  const short = pvs.find(({ devSize, size }) => devSize < size);
  if (short === undefined) return null;
  const details = { has: `${short.devSize} bytes`, needs: `${short.size} bytes` };
  return new Failure('corrupt', `${short.name} is smaller than the PV on it`, { details, hint: 'restore its image' });
}

function claimed(vg: Vg): Failure | null {
  if (vg.claimed.length === 0) return null;
  return new Failure('unsupported', `${vg.name} is not this host's alone: ${vg.claimed.join(', ')}`);
}

/** Images of one VG that are more than one commit of LVM apart are from different moments; LVM would "repair" them. */
export function momentsFault(name: string, moments: readonly (number | null)[]): { fault?: Failure; notice?: string } {
  const known = moments.filter((moment) => moment !== null);
  const spread = known.length === 0 ? 0 : Math.max(...known) - Math.min(...known);
  if (spread === 0) return {};
  const details = { 'write counters': known.join(', ') };
  const hint = 'restore all images of the group from the same moment';
  if (spread > 1)
    return { fault: new Failure('corrupt', `the images of ${name} are from different moments`, { details, hint }) };
  return { notice: `${name}: its images are one write apart, as an interrupted LVM command leaves them` };
}

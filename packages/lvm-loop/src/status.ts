import { dirname } from 'node:path';
import type { Failure } from '@platter/host/failure';
import type { Image } from './images.ts';
import { promiseOf } from './promise.ts';
import type { FileStatus, Phase, VolumeGroup } from './records.ts';
import type { Seen } from './report.ts';
import type { Lv, Pv, Vg } from './reports.ts';
import type { Result } from './result.ts';
import type { Deed } from './session.ts';
import { groupPhase } from './situation.ts';
import { sizeText } from './spec.ts';
import { stateOf } from './state.ts';
import type { Group } from './survey.ts';
import { groupFault, type VgFacts, vgOfGroup } from './vg.ts';

/** A group as it was seen, and the bytes of its images that other files share, by path. */
export interface Shown extends Seen {
  shared: ReadonlyMap<string, number>;
}

/** The record of a group. `spec` is rebuilt so that applying it changes nothing. */
export function recordOf(seen: Shown, { drift, failure }: Omit<Result, 'seen'>, deeds: readonly Deed[]): VolumeGroup {
  const { group, facts } = seen;
  const vg = facts === null ? null : vgOfGroup(group.images, facts);
  const pools = (facts?.lvs ?? []).filter(({ type }) => type === 'thin-pool');
  const known = facts !== null && vg !== null;
  return {
    apiVersion: 'platter.dev/v1',
    kind: 'VolumeGroup',
    metadata: { name: group.name },
    spec: specOf(group, vg, pools),
    status: {
      phase: phaseOf(seen, vg),
      vgUuid: vg?.uuid ?? null,
      vgSize: vg && vg.extents * vg.extentSize,
      vgFree: vg && vg.free * vg.extentSize,
      extentSize: vg?.extentSize ?? null,
      lvCount: vg?.lvs ?? null,
      lvActive: known ? activeOf(facts) : null,
      files: group.images.map((image) => fileOf(image, seen, vg)),
      thinPools: pools.map(({ name, size, dataPercent, metadataPercent }) => ({
        name,
        size,
        dataPercent,
        metadataPercent,
      })),
      changes: deeds.map((deed) => ({ ...deed })),
      drift: drift.map((one) => ({ ...one })),
      failure: failureOf(failure),
    },
  };
}

/** How many volumes are active; null where nobody can tell. */
function activeOf({ lvs }: VgFacts): number | null {
  const own = lvs.filter(({ hidden }) => !hidden);
  return own.every(({ told }) => told) ? own.filter(({ active }) => active).length : null;
}

const failureOf = (failure: Failure | null) =>
  failure && { kind: failure.kind, message: failure.message, hint: failure.hint ?? null };

function specOf({ name, images }: Group, vg: Vg | null, pools: readonly Lv[]): VolumeGroup['spec'] {
  const first = images[0]?.sidecar;
  return {
    vgName: first?.vgName ?? name,
    files: images.map(({ path, sidecar }) => ({
      name: sidecar.file,
      directory: dirname(path),
      size: sizeText(sidecar.size),
      fsUuid: sidecar.fsUuid,
    })),
    ...(vg === null ? {} : { extentSize: sizeText(vg.extentSize) }),
    sectorSize: first?.sectorSize ?? 512,
    allocation: images.some(({ sidecar }) => sidecar.allocation === 'sparse') ? 'sparse' : 'full',
    directIO: first?.directIO ?? 'auto',
    activate: images.every(({ sidecar }) => sidecar.activate),
    ...(pools.length === 0
      ? {}
      : { thinPools: pools.map(({ name: pool, size }) => ({ name: pool, size: sizeText(size) })) }),
  };
}

/** Where a group is in its life; what could not be read makes it `unknown`. */
export function phaseOf({ group, facts }: Seen, vg: Vg | null): Phase {
  const { images, unknown, unreadable } = group;
  const phase = groupPhase(images);
  if (unknown.length > 0 || unreadable.length > 0 || facts === null) return 'unknown';
  if (phase !== 'ready') return phase;
  const members = images.filter(({ sidecar }) => sidecar.phase === 'ready');
  if (members.every(({ loops }) => loops.length === 0)) return 'detached';
  const whole = members.every((image) => stateOf(image).is === 'attached') && vg !== null;
  if (!whole || groupFault(images, facts) !== null) return 'partial';
  return vg.lvs === 0 || facts.lvs.some(({ active, hidden }) => active && !hidden) ? 'active' : 'attached';
}

function fileOf(image: Image, { facts, shared }: Shown, vg: Vg | null): FileStatus {
  const { path, sidecar, file, loops } = image;
  const loop = loops[0] ?? null;
  const pv = facts?.pvs.find(({ uuid, missing }) => uuid === sidecar.pvUuid && !missing) ?? null;
  return {
    name: sidecar.file,
    path,
    loop: loop?.name ?? null,
    size: sidecar.size,
    fileSize: file?.size ?? null,
    allocated: file?.allocated ?? null,
    shared: shared.get(path) ?? null,
    promise: promiseOf(image, shared.get(path) ?? null),
    directIO: loop && (loop.directIO ? 'on' : 'off'),
    sectorSize: sidecar.sectorSize,
    pvUuid: sidecar.pvUuid,
    pvSize: pv?.size ?? null,
    pvFree: pv && freeOf(pv, vg),
  };
}

const freeOf = ({ extents, allocated }: Pv, vg: Vg | null) => (extents - allocated) * (vg?.extentSize ?? 0);

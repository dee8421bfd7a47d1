import { Failure } from '@platter/host/failure';
import { type Ending, finish } from './finish.ts';
import { alone, attachGroup, checkGroup, type Served } from './group.ts';
import type { Image } from './images.ts';
import { lockedVg } from './locks.ts';
import { type Made, makeFiles } from './make-files.ts';
import { type Drift, driftOf } from './plan.ts';
import { type Result, together } from './result.ts';
import type { Session } from './session.ts';
import { checkVgName, conflict, groupRefusal } from './situation.ts';
import { checkPossible, defaultExtent, type GroupSpec } from './spec.ts';
import { type Found, findSidecars, type Group, lookAtGroup } from './survey.ts';
import { targetsOf } from './targets.ts';

/** Makes a group as wanted, or brings the one that is there closer to it. A second run finds nothing to do. */
export async function applyGroup(session: Session, spec: GroupSpec): Promise<Result> {
  checkPossible(spec, session.lvm.dm);
  session.deeds = [];
  const vgName = vgNameOf(await findSidecars(session.host, session.roots), spec);
  return lockedVg(session, vgName, () => converge(session, spec));
}

/** The VG name of the sidecars there are; an unreadable one is refused later. */
function vgNameOf(found: readonly Found[], spec: GroupSpec): string {
  for (const { group, sidecar } of found) if (group === spec.name && typeof sidecar !== 'string') return sidecar.vgName;
  return spec.vgName ?? spec.name;
}

async function converge(session: Session, spec: GroupSpec): Promise<Result> {
  const { host, roots } = session;
  const found = await findSidecars(host, roots);
  const group = await lookAtGroup(session, found, spec.name);
  const refusal = groupRefusal(group) ?? conflict(spec, group.images);
  if (refusal !== null) throw refusal;
  const others = found.filter((one) => one.group !== spec.name);
  const free = () => checkVgName(session, vgNameOf(found, spec), others);
  const targets = await targetsOf({ ...session, spec }, group.images);
  if (group.images.length === 0) await free();
  const served = group.images.length === 0 ? alone : await attachGroup(session, preferring(group, spec.directIO));
  await fit(session, spec, { group, served });
  if (group.images.length > 0 && served.vg === null) await free();
  const resumed = targets.some(({ image, spec: { size } }) => isSmaller(image, size));
  const made = await makeFiles(session, spec, { images: group.images, served, targets });
  const { failure, ...facts } = await finish(session, spec, endingOf(group, served, made));
  const drift = driftOf(spec.files, group.images, extentOf(spec, served));
  const shrinks = drift.flatMap(shrinking);
  const failed = together([...made.failures, ...shrinks], made.asked + shrinks.length);
  if (resumed && failed === null && failure === null && !session.host.dry) return converge(session, spec);
  const seen = { ...facts, ...(session.deeds.length === 0 ? { group } : {}) };
  return { drift, failure: failed ?? failure, seen };
}

/** An image that was begun smaller than it is wanted now: it is completed as it was begun, and grown after that. */
const isSmaller = (image: Image | null, size: number) =>
  image !== null && image.sidecar.phase === 'creating' && image.sidecar.size < size;

/** The group as it is to be attached from now on; its sidecars are written later. */
const preferring = (group: Group, directIO: GroupSpec['directIO']): Group => ({
  ...group,
  images: group.images.map((image) => ({
    ...image,
    sidecar: { ...image.sidecar, directIO: directIO ?? image.sidecar.directIO },
  })),
});

/** Refuses a group that could not be attached whole, is not whole, or was made with other extents. */
async function fit(
  session: Session,
  spec: GroupSpec,
  { group, served }: { group: Group; served: Served },
): Promise<void> {
  const [failure] = served.failures;
  if (failure !== undefined) throw failure;
  await checkGroup(session, group, served);
  const has = extentOf(spec, served);
  if (spec.extentSize === null || spec.extentSize === has) return;
  throw new Failure('refused', `will not change the extents of ${spec.name} from ${has} to ${spec.extentSize} bytes`);
}

function extentOf(spec: GroupSpec, { vg }: Served): number {
  return vg === null || vg === 'unread' ? (spec.extentSize ?? defaultExtent) : vg.extentSize;
}

function endingOf(group: Group, served: Served, { works }: Made): Ending {
  const worked = works.filter(({ device }) => device !== null);
  const rest = group.images.filter(({ path }) => !works.some((work) => work.path === path));
  const devices = new Set([...served.devices.values(), ...worked.flatMap(({ device }) => device ?? [])]);
  return { served, images: [...worked, ...rest], devices: [...devices] };
}

function shrinking({ object, kind, detail }: Drift): Failure[] {
  if (kind !== 'smaller-in-spec') return [];
  return [new Failure('refused', `will not shrink ${object}: it ${detail}`, { hint: 'ask for the size it has' })];
}

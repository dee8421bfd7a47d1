import { formatInstant } from '@platter/units/instant';
import { newPvUuid } from './pv-uuid.ts';
import type { Session } from './session.ts';
import type { Sidecar } from './sidecar.ts';
import type { GroupSpec } from './spec.ts';
import type { Target } from './targets.ts';

/** What all sidecars of a group share. */
export type Shared = Pick<Sidecar, 'groupId' | 'vgName' | 'sectorSize' | 'directIO' | 'activate' | 'autoAttach'>;

/** As the group is, else as somebody wants it, else the defaults. */
export function sharedOf(session: Session, spec: GroupSpec, known: Sidecar | undefined): Shared {
  return {
    groupId: known?.groupId ?? session.call.uuid(),
    vgName: known?.vgName ?? spec.vgName ?? spec.name,
    sectorSize: known?.sectorSize ?? spec.sectorSize ?? 512,
    directIO: spec.directIO ?? known?.directIO ?? 'auto',
    activate: spec.activate ?? known?.activate ?? true,
    autoAttach: known?.autoAttach ?? true,
  };
}

/** The sidecar of a file to be made, complete but for its inode. */
export function draft(
  session: Session,
  spec: GroupSpec,
  { target, shared }: { target: Target; shared: Shared },
): Sidecar {
  const { call } = session;
  const { fsUuid, fsid, bootId } = target.filesystem;
  return {
    apiVersion: 'platter.dev/v1',
    kind: 'LoopImage',
    group: spec.name,
    file: target.spec.name,
    ...shared,
    source: spec.scheme,
    path: target.path,
    ino: '0',
    birthNs: null,
    ...{ fsUuid, fsid, bootId },
    pvUuid: newPvUuid(call.random),
    vgUuid: null,
    size: target.spec.size,
    allocation: spec.sparse ? 'sparse' : 'full',
    phase: 'creating',
    origin: null,
    createdAt: formatInstant(call.now()),
    tool: `lvm-loop ${call.version}`,
  };
}

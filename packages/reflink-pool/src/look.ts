import { Failure } from '@platter/host/failure';
import { about } from './about.ts';
import { lookAt } from './family.ts';
import { typeName } from './filesystem.ts';
import { around, type Machine, volumeNames } from './machine.ts';
import { isTwin, sideOf } from './naming.ts';
import type { Pool } from './pool.ts';
import type { PoolRecord, RevisionRecord, VolumeRecord } from './records/look.ts';
import { isOutdated } from './starting.ts';
import { stateOf } from './state.ts';
import { exists, type Image, imageFacts, type Revision, type Volume } from './volume.ts';

/** The volumes of a pool that are there, in byte order; those that cannot be looked at are warned about. */
export async function volumesOf(pool: Pool): Promise<Volume[]> {
  const volumes: Volume[] = [];
  for (const name of await volumeNames(pool)) {
    const volume = await seen(pool, name);
    if (volume !== null && exists(volume) && !volume.file.removing) volumes.push(volume);
  }
  return volumes;
}

/** A volume as it is; null, with a warning, when it cannot be looked at. */
export async function seen(pool: Pool, name: string): Promise<Volume | null> {
  try {
    return await lookAt(pool, name);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    pool.call.warn(`${name} cannot be looked at: ${error.message}`);
    return null;
  }
}

export async function poolRecord(pool: Pool): Promise<PoolRecord> {
  const { path, settings, space } = pool;
  const { uuid, backend, calibration, policy, reserveBytes: reserve } = settings;
  const room = { free: space.free, total: space.total, reserve };
  const volumes = (await volumesOf(pool)).length;
  const head = { apiVersion: 'platter.dev/v1', kind: 'Pool', metadata: { name: path } } as const;
  return { ...head, path, uuid, fsType: typeName(space), backend, ...room, calibration, policy, volumes };
}

/** A volume as it is now; its holders are looked for where nothing else tells its state. */
export async function volumeRecord(pool: Pool, volume: Volume, always = false): Promise<VolumeRecord> {
  return described(volume, await around(pool, volume, always));
}

function described(volume: Volume, machine: Machine): VolumeRecord {
  const { head, work, file, name, importing } = volume;
  const held = machine.holders.length > 0;
  const kind = { uuid: file.uuid || null, volumeKind: file.volumeKind, rw: file.rw, source: file.source };
  const place = { path: head?.path ?? null, workPath: work?.path ?? null, format: 'raw' as const };
  return {
    ...about('Volume', name),
    ...kind,
    state: stateOf(volume, { bootId: machine.bootId, held }),
    ...place,
    size: work?.size ?? head?.size ?? file.size,
    allocated: allocated(volume),
    revisions: volume.revisions.length,
    outdated: isOutdated(volume, machine.source),
    policy: file.policy,
    importing: importing === null ? null : (file.import?.token ?? null),
    holders: [...machine.holders, ...machine.headHolders],
  };
}

/** Bytes of the distinct images of a volume; shared extents count in each. */
function allocated({ head, work, prepared, importing, revisions }: Volume): number {
  const images = [head, work, prepared, importing, ...revisions].filter((image) => image !== null);
  return [...new Map(images.map((image) => [image.ino, image.allocated])).values()].reduce(
    (sum, bytes) => sum + bytes,
    0,
  );
}

/** A committed image under one of its names: a revision's, or the head's (then without a number). */
export function revisionRecord(volume: Volume, image: Image | Revision): RevisionRecord {
  const revision = 'number' in image ? image : null;
  const { path, size, allocated, mtimeNs } = image;
  const noted = imageFacts(volume, image);
  const facts = revision?.facts;
  const ref = `${volume.name}@${revision?.number ?? 'head'}`;
  return {
    ...about('Revision', volume.name),
    ref,
    volumeUuid: volume.file.uuid || null,
    number: revision?.number ?? null,
    ...{ path, size, allocated, format: 'raw' as const },
    time: revision?.time ?? `${new Date(Number(mtimeNs / 1_000_000n)).toISOString().slice(0, 19)}Z`,
    twin: revision === null || isTwin(volume, revision),
    side: revision !== null && sideOf(revision),
    consistency: noted?.consistency ?? null,
    label: facts?.label ?? null,
    pins: facts?.pins ?? [],
    expiresAt: facts?.expiresAt ?? null,
    set: facts?.set ?? null,
    sha256: noted?.sha256 ?? null,
  };
}

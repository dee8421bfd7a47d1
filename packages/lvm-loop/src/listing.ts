import { Failure } from '@platter/host/failure';
import { list } from '@platter/host/looks';
import { signature } from '@platter/host/tools/blkid';
import { type Loop, loops, serves } from '@platter/host/tools/losetup';
import type { Eyes, Image } from './images.ts';
import type { LoopDevice } from './records.ts';
import { factsOf, nothingSaid } from './report.ts';
import type { Session } from './session.ts';
import { recordOf } from './status.ts';
import { findSidecars, type Group, groupNames, groupSeen } from './survey.ts';
import { groupView, loopView } from './view.ts';

/** Prints every group, and with `all` every loop of the host. What could not be read ends as partial. */
export async function listGroups(session: Session, all: boolean): Promise<void> {
  const { host, roots, call } = session;
  const found = await findSidecars(host, roots);
  const eyes: Eyes = { host, loops: await loops(host), filesystems: session.filesystems };
  const groups: Group[] = [];
  let obscure = 0;
  for (const name of groupNames(found)) {
    const group = await groupSeen(eyes, found, name);
    const facts = await factsOf(session, group);
    const record = recordOf({ group, facts, shared: new Map() }, nothingSaid, []);
    for (const { failure } of [...group.unknown, ...group.unreadable]) call.warn(failure.message);
    if (record.status.phase === 'unknown') obscure += 1;
    groups.push(group);
    await call.emit(record, groupView(record));
  }
  if (all) for (const loop of eyes.loops) await tellLoop(session, loop, groups);
  if (obscure > 0) throw new Failure('partial', `${obscure} of ${groups.length} groups could not be read`);
}

async function tellLoop(session: Session, loop: Loop, groups: readonly Group[]): Promise<void> {
  const images = groups.flatMap((group) => group.images);
  const record = deviceOf(loop, await ownerOf(session, loop, images), await holdersOf(session, loop));
  await session.call.emit(record, loopView(record));
}

interface Owner {
  owner: LoopDevice['owner'];
  image: Image | null;
}

/** Ours by device and inode; a copy of ours when it carries one of our PV UUIDs; never by a name. */
async function ownerOf({ host }: Session, loop: Loop, images: readonly Image[]): Promise<Owner> {
  const own = images.find(({ dev, sidecar }) => serves(loop, { dev, ino: BigInt(sidecar.ino) }));
  if (own !== undefined) return { owner: 'ours', image: own };
  const label = await signature(host, loop.name).catch(() => null);
  const original = images.find(({ sidecar }) => sidecar.pvUuid === label?.UUID);
  return original === undefined ? { owner: 'foreign', image: null } : { owner: 'copy-of-ours', image: original };
}

async function holdersOf({ host }: Session, { name }: Loop): Promise<string[]> {
  return ((await host.query(list(`${name.replace('/dev/', '/sys/block/')}/holders`))) ?? []).map((entry) => entry.name);
}

function deviceOf(loop: Loop, { owner, image }: Owner, holders: string[]): LoopDevice {
  const { name: device, backFile, inode, dev: backDev, ...rest } = loop;
  return {
    apiVersion: 'platter.dev/v1',
    kind: 'LoopDevice',
    device,
    backFile,
    backIno: inode === null ? null : String(inode),
    backDev,
    owner,
    group: image?.sidecar.group ?? null,
    pvUuid: image?.sidecar.pvUuid ?? null,
    ...rest,
    holders,
  };
}

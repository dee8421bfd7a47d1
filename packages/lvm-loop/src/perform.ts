import { dirname } from 'node:path';
import { remove, sync, truncate } from '@platter/host/changes';
import { lstat } from '@platter/host/looks';
import { allocate, create, publish, uncopied, writeSidecar } from './create.ts';
import { labelAt } from './images.ts';
import { attach, loopsOn, servedBy, setCapacity, setDirectIO } from './loops.ts';
import { lvm } from './lvm.ts';
import { creatingPath } from './names.ts';
import { type FilePlan, fewer, type Step } from './plan.ts';
import type { Deed, Session } from './session.ts';
import { make, prove } from './steps.ts';
import { forget, sweep, unserve } from './take-back.ts';
import { readVg } from './vg.ts';
import { deviceOf, type Work } from './work.ts';

type Take<S extends Step = Step> = (session: Session, work: Work, step: S) => Promise<void>;

const deedOf = ({ sidecar }: Work, step: Step): Deed => ({ step: step.do, object: sidecar.file, reason: step.reason });

/** Takes the steps of one file in order; what this run makes is registered to be taken back. */
export async function perform(session: Session, work: Work, { steps }: FilePlan): Promise<void> {
  for (const step of steps) await (takes[step.do] as Take)(session, work, step);
}

/** A step of a given name. */
type Named<N extends Step['do']> = Step & { do: N };

const takes: { [N in Step['do']]: Take<Named<N>> } = {
  sweep: (session, work, step) => make(session, deedOf(work, step), [remove(creatingPath(work.path))]),
  begin,
  allocate: fill,
  publish: (session, work, step) => publish(session, deedOf(work, step), work.path),
  unname: (session, work, step) =>
    make(session, deedOf(work, step), [remove(creatingPath(work.path)), sync(dirname(work.path))]),
  attach: serveNow,
  'direct-io': (session, work, step) =>
    setDirectIO(session, deedOf(work, step), { device: deviceOf(work), served: servedBy(work), on: true }),
  label,
  lengthen,
  capacity: (session, work, step) =>
    setCapacity(session, deedOf(work, step), { device: deviceOf(work), size: step.to }),
  resize,
  record: async (session, work, step) => {
    work.sidecar = { ...work.sidecar, size: step.to };
    await writeSidecar(session, deedOf(work, step), work);
  },
};

async function begin(session: Session, work: Work, step: Step): Promise<void> {
  const deed = deedOf(work, step);
  work.undo.add(creatingPath(work.path), () => sweep(session, work.path));
  const made = await create(session, deed, work.path);
  work.sidecar = { ...work.sidecar, ino: String(made?.ino ?? 0), birthNs: made?.birthNs ? String(made.birthNs) : null };
  work.undo.add(work.path, () => forget(session, work));
  if (work.filesystem.type === 'btrfs') await uncopied(session, deed, creatingPath(work.path));
  await writeSidecar(session, { ...deed, step: 'sidecar', reason: 'its identity, before it has any' }, work);
}

/** An image grows under its temporary name; one that a crashed run already named grows under that. */
async function fill(session: Session, work: Work, { from, to, ...step }: Named<'allocate'>): Promise<void> {
  const temp = creatingPath(work.path);
  const named = !session.host.dry && (await session.host.query(lstat(temp))) === null;
  await allocate(session, deedOf(work, { ...step, from, to }), {
    ...extent(work, from, to),
    path: named ? work.path : temp,
  });
}

const extent = ({ path, sidecar, reserve, filesystem }: Work, from: number, to: number) => ({
  path,
  from,
  to,
  reserve,
  sparse: sidecar.allocation === 'sparse',
  filesystem: filesystem.fsUuid ?? filesystem.fsid ?? 'tmpfs',
});

async function serveNow(session: Session, work: Work, step: Step): Promise<void> {
  const already = !session.host.dry && (await loopsOn(session, servedBy(work))).length > 0;
  if (!already) work.undo.add(`the loop of ${work.path}`, () => unserve(session, work));
  work.device = await attach(session, deedOf(work, step), servedBy(work));
}

async function label(session: Session, work: Work, step: Step): Promise<void> {
  const { pvUuid } = work.sidecar;
  const device = deviceOf(work);
  const words = ['pvcreate', '--uuid', pvUuid, '--norestorefile', device];
  await prove(
    session,
    { deed: deedOf(work, step), program: lvm(session.lvm, { devices: [device], directory: work.directory }, words) },
    async () => {
      const found = await labelAt(session.host, work.path);
      return typeof found !== 'string' && found.uuid === pvUuid ? null : 'its label is not there';
    },
  );
}

/** The image grows; when it cannot, it is cut back to where its PV ends. */
async function lengthen(session: Session, work: Work, step: Named<'lengthen'>): Promise<void> {
  try {
    await allocate(session, deedOf(work, step), extent(work, step.from, step.to));
  } catch (error) {
    await session.host.change(truncate(work.path, step.from));
    throw error;
  }
}

async function resize(session: Session, work: Work, step: Step): Promise<void> {
  const device = deviceOf(work);
  const scope = { devices: work.peers(), directory: work.directory };
  await prove(
    session,
    { deed: deedOf(work, step), program: lvm(session.lvm, scope, ['pvresize', device]) },
    async () => {
      const { pvs, vgs } = await readVg(session, scope);
      const pv = pvs.find(({ name }) => name === device);
      if (pv === undefined || vgs[0] === undefined) return 'the PV cannot be seen';
      return fewer(pv, vgs[0], pv.devSize) ? 'the PV is as small as before' : null;
    },
  );
}

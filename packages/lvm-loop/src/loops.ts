import { Failure } from '@platter/host/failure';
import { list, run, text } from '@platter/host/looks';
import { type Loop, loops, serves } from '@platter/host/tools/losetup';
import { shellLine } from '@platter/units/shell';
import type { Image } from './images.ts';
import { lockedLoops } from './locks.ts';
import type { Deed, Session } from './session.ts';
import { oddities } from './state.ts';
import { deviceToCome, named, prove, shellOf } from './steps.ts';

/** The file a loop is to serve. */
export interface Served {
  path: string;
  file: string;
  dev: bigint;
  ino: bigint;
  sectorSize: number;
}

export const servedBy = ({ path, dev, sidecar }: Pick<Image, 'path' | 'dev' | 'sidecar'>): Served => ({
  path,
  dev,
  file: sidecar.file,
  ino: BigInt(sidecar.ino),
  sectorSize: sidecar.sectorSize,
});

/** The loops that serve a file now. */
export const loopsOn = async ({ host }: Session, served: Served): Promise<Loop[]> =>
  (await loops(host)).filter((loop) => serves(loop, served));

/** Serves a file by one loop device, at most once also when several runs try; the device is judged by its inode. */
export async function attach(session: Session, deed: Deed, served: Served): Promise<string> {
  return lockedLoops(session, async () => {
    const [loop] = session.host.dry ? [] : await loopsOn(session, served);
    if (loop !== undefined && !loop.autoclear) return checked(served, loop).name;
    let seen: readonly Loop[] = [];
    const proof = async () => {
      seen = await loopsOn(session, served);
      return seen.some(({ autoclear }) => !autoclear) ? null : 'no loop serves it';
    };
    await patiently(session, () => prove(session, { deed, program: attaching(served) }, proof));
    return session.host.dry ? deviceToCome(served.file) : only(served, seen).name;
  });
}

/** Somebody else may take the minor that was found free; then another is looked for. */
async function patiently(session: Session, work: () => Promise<void>): Promise<void> {
  for (let left = tries; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      const lost = error instanceof Failure && /busy|temporarily unavailable/i.test(error.details.said ?? '');
      if (!lost || left === 0) throw error;
      await session.host.query(run('sleep', [pause]));
    }
  }
}

function attaching({ path, file, sectorSize }: Served) {
  const words = ['--find', '--nooverlap', '--show', '-b', String(sectorSize), '--', path];
  return { ...run('losetup', words), shell: named(file, shellLine(['losetup', ...words])) };
}

function only(served: Served, [loop, ...others]: readonly Loop[]): Loop {
  if (loop !== undefined && others.length === 0) return checked(served, loop);
  throw new Failure('refused', `${served.path} is served by ${others.length + 1} loops at once`);
}

function checked({ path, sectorSize }: Served, loop: Loop): Loop {
  const odd = oddities(loop, sectorSize);
  if (odd !== null) throw new Failure('refused', `${path} is served by ${loop.name} ${odd}`);
  return loop;
}

/** Asks for direct I/O past the page cache, or for its end; a loop that cannot is only reported. */
export async function setDirectIO(
  session: Session,
  deed: Deed,
  { device, served, on: wanted }: DirectIO,
): Promise<void> {
  const words = [`--direct-io=${wanted ? 'on' : 'off'}`, device];
  const program = { ...run('losetup', words), shell: `losetup ${words[0]} ${shellOf(device)} || true` };
  const proof = async () =>
    (await loopsOn(session, served))[0]?.directIO === wanted ? null : 'direct I/O is as before';
  try {
    await prove(session, { deed, program }, proof);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    session.call.warn(`${served.path}: direct-io stays ${wanted ? 'off' : 'on'}: ${error.message}`);
  }
}
interface DirectIO {
  device: string;
  served: Served;
  on: boolean;
}

/** The loop is told that its file has grown. */
export async function setCapacity(
  session: Session,
  deed: Deed,
  { device, size }: { device: string; size: number },
): Promise<void> {
  const proof = async () => ((await sizeOf(session, device)) === size ? null : `${device} has not ${size} bytes`);
  await prove(session, { deed, program: run('losetup', ['-c', device]) }, proof);
}

async function sizeOf({ host }: Session, device: string): Promise<number | null> {
  const sectors = await host.query(text(device.replace('/dev/', '/sys/block/').concat('/size')));
  return sectors === null ? null : Number(sectors) * 512;
}

/** The loops of a file go, all of them, or those that are held stay as they were: a detach never waits for a user. */
export async function detach(session: Session, deed: Deed, served: Served): Promise<void> {
  await lockedLoops(session, async () => {
    for (const { name } of await loopsOn(session, served)) await release(session, { ...deed, object: name }, served);
  });
}

async function release(session: Session, deed: Deed, served: Served): Promise<void> {
  const device = deed.object;
  const holders = await session.host.query(list(device.replace('/dev/', '/sys/block/').concat('/holders')));
  if (holders !== null && holders.length > 0) throw held(device, holders.map(({ name }) => name).join(', '));
  const gone = async () =>
    (await lingering(session, device, served)) === undefined ? null : `${device} is still there`;
  await prove(session, { deed, program: run('losetup', ['-d', device]) }, gone).catch(async (error) => {
    const loop = await lingering(session, device, served);
    if (!loop?.autoclear) throw error;
    await session.host.change(attaching(served));
    throw held(device, 'a program that has it open, or a mount of it in another namespace');
  });
}

const held = (device: string, by: string) =>
  new Failure('busy', `${device} is in use`, { details: { by }, hint: 'end its user, then try again' });

/** How often and how long apart a loop is looked at that was told to go: a program may have it open for a moment. */
const [tries, pause] = [10, '0.05'];

async function lingering(session: Session, device: string, served: Served): Promise<Loop | undefined> {
  for (let left = tries; ; left -= 1) {
    const loop = (await loopsOn(session, served)).find(({ name }) => name === device);
    if (!loop?.autoclear || left === 0) return loop;
    await session.host.query(run('sleep', [pause]));
  }
}

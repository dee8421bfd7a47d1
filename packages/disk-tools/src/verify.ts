import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { check, heldImage } from '@platter/host/tools/qemu-img';
import { contentDigest } from '@platter/qcow2/digest';
import { formatSize } from '@platter/units/size';
import { virtualSize } from './disk.ts';
import type { Disk, Found } from './found.ts';
import { fsck } from './fsck.ts';
import { holder } from './holders.ts';
import { checkPrograms } from './programs.ts';
import { withHoles } from './sparse.ts';
import { recordOf, view } from './story.ts';
import { type Opened, surveyed } from './survey.ts';
import type { Target } from './target.ts';
import { failureOf, warningsOf } from './verdict.ts';

/** What a disk has to be, and how closely it is looked at. */
export interface Demand {
  label: string | undefined;
  fs: 'ext4' | 'xfs' | undefined;
  'min-size': number | undefined;
  'from-format': 'raw' | undefined;
  fsck: boolean;
  scratch: string | undefined;
  digest: boolean;
}

/** Proves one disk sound by reading alone, or fails with what is wrong with it. */
export async function verify(call: Call, target: Target, demand: Demand): Promise<void> {
  const raw = demand['from-format'] === 'raw';
  const devices = raw && ('claimed' as const);
  const question = { path: target.path, raw, devices, census: true, holder };
  await surveyed(call.host, question, async (found, opened) => {
    const disk = sound(found, target, raw);
    const subject = { target, opened: opened as Opened };
    const warnings = [...warningsOf(disk.findings), ...(await checked(call, disk, subject))];
    warnings.push(...filesystemStates(disk, target));
    expected(disk, target, demand);
    if (demand.fsck) warnings.push(...(await fsck(call, disk, { ...subject, scratch: demand.scratch })));
    const digest = demand.digest ? { contentSha256: await digestOf(call, disk, subject.opened) } : {};
    if (!subject.opened.held.same()) throw moving(target, 'it changed while it was verified');
    await proven(call, disk, { target, warnings, ...digest });
  });
}

interface Proof {
  target: Target;
  warnings: string[];
  contentSha256?: string;
}

async function proven(call: Call, disk: Disk, { target, warnings, ...digest }: Proof): Promise<void> {
  for (const warning of warnings) call.warn(`${target.said}: ${warning}`);
  const record = recordOf(disk, { action: 'verified', path: target.path, warnings, ...digest });
  const end = digest.contentSha256 === undefined ? '' : `content ${digest.contentSha256}`;
  await call.emit(record, view(target.said, record, end));
}

const moving = ({ said }: Target, why: string) =>
  new Failure('busy', `cannot verify ${said}: ${why}`, {
    hint: 'nothing can be proven about moving data; stop that first',
  });

/** A disk whose header and tables keep every rule, and that nobody writes to. */
function sound(found: Found, target: Target, raw: boolean): Disk {
  const no = (why: string, hint?: string) =>
    new Failure('refused', `cannot verify ${target.said}: ${why}`, hint ? { hint } : {});
  if (found.kind === 'absent') throw no('there is nothing');
  if (found.kind === 'thing') throw no(`it is ${found.what}`);
  if (found.kind === 'named') throw no(`it is ${found.what}`, found.way);
  if (found.kind === 'unknown') throw no('it is not recognised', 'if it is a raw image, say --from-format raw');
  if (raw && found.format !== 'raw') throw no(`it is ${found.format}, not raw`, 'leave --from-format out');
  if (found.holder !== null) throw moving(target, found.holder);
  const broken = failureOf(found.findings, `cannot verify ${target.said}`);
  if (broken !== null) throw broken;
  if (found.content === null) throw no(`it is ${found.format}, which nobody here judges`);
  return found;
}

interface Subject {
  target: Target;
  opened: Opened;
}

/** QEMU's own check of what our parser has accepted, over the very descriptor that was judged. */
async function checked(call: Call, disk: Disk, { target, opened }: Subject): Promise<string[]> {
  if (disk.format !== 'qcow2') return [];
  await checkPrograms(call.host, call.env, ['qemu-img', 'prlimit']);
  const { verdict, corruptions, leaks } = await check(call.host, heldImage(opened.held, 'qcow2'));
  if (verdict === 'corrupt')
    throw new Failure('corrupt', `${target.said} is damaged: qemu-img check found ${corruptions} corruptions`, {
      hint: 'repair a copy: qemu-img check -r all COPY',
    });
  return verdict === 'leaks' ? [`${leaks} clusters are leaked; they waste space and harm nothing`] : [];
}

/** A filesystem that says it has errors is damage; one that wants its journal replayed is worth a word. */
function filesystemStates({ content }: Disk, { said }: Target): string[] {
  const { filesystems = [] } = content ?? {};
  const damaged = filesystems.find(({ state }) => state === 'errors');
  if (damaged !== undefined)
    throw new Failure('corrupt', `${said} holds ${damaged.type} "${damaged.label}", which says that it has errors`, {
      hint: 'let the guest run fsck, or look at a copy',
    });
  const waiting = filesystems.filter(({ state }) => state === 'recover');
  return waiting.map(({ type, label }) => `${type} "${label}" needs recovery; the guest replays its journal`);
}

/** What was said that it must be. */
function expected(disk: Disk, { said }: Target, demand: Demand): void {
  const no = (why: string) => new Failure('refused', `${said} is not what was expected: ${why}`);
  const { filesystems = [] } = disk.content ?? {};
  const { label, fs } = demand;
  const found = filesystems.map((one) => `${one.type} "${one.label}"`).join(', ') || 'no filesystem';
  const fits = filesystems.filter((one) => (label ?? one.label) === one.label && (fs ?? one.type) === one.type);
  const wanted = [fs ?? 'a filesystem', ...(label === undefined ? [] : [`"${label}"`])].join(' ');
  if ((label !== undefined || fs !== undefined) && fits.length !== 1)
    throw no(fits.length === 0 ? `it holds ${found}, not ${wanted}` : `it holds ${wanted} more than once`);
  const least = demand['min-size'] ?? 0;
  if (virtualSize(disk) < least) throw no(`it has ${formatSize(virtualSize(disk))}, less than ${formatSize(least)}`);
}

async function digestOf(call: Call, { format }: Disk, { guest, held }: Opened): Promise<string> {
  const content = guest as NonNullable<typeof guest>;
  return contentDigest(format === 'raw' ? await withHoles(call.host, held, content) : content);
}

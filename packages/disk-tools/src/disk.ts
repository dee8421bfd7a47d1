import { Failure, type FailureKind, type FailureNotes } from '@platter/host/failure';
import { formatSize } from '@platter/units/size';
import type { Content } from './content.ts';
import type { Filesystem } from './filesystem.ts';
import type { Disk, Found } from './found.ts';
import { failureOf, warningsOf } from './verdict.ts';
import type { Wish } from './wish.ts';

/** What `ensure` does about what it found: nothing is ever formatted that exists. */
export type Decision =
  | { action: 'create' }
  | { action: 'keep'; disk: Disk; filesystem: Filesystem; warnings: string[] };

/** Decides over a freshly read fact; every state but a free name and our own sound disk is a Failure. */
export function decide(found: Found, wish: Wish, said: string): Decision {
  if (found.kind === 'absent') return { action: 'create' };
  const no = refuser(`will not use ${said}`);
  if (found.kind === 'thing') throw no('refused', `it is ${found.what}`, { hint: 'choose another path' });
  if (found.kind === 'named') throw no('refused', `it is ${found.what}`, { hint: found.way });
  if (found.kind === 'unknown')
    throw no('refused', 'it is not recognised', { hint: 'if it is a raw image, say --format raw' });
  if (found.holder !== null) throw no('busy', found.holder, { hint: 'stop or detach that, then run this again' });
  const broken = failureOf(found.findings, `will not use ${said}`);
  if (broken !== null) throw broken;
  if (found.content === null) throw no('refused', `it is a ${found.format} image`, { hint: 'choose another path' });
  const filesystem = filesystemOf(found.content, wish, no);
  compare(found, filesystem, { wish, no });
  return { action: 'keep', disk: found, filesystem, warnings: warningsAbout(found, filesystem, wish) };
}

type Refuser = (kind: FailureKind, why: string, notes?: FailureNotes) => Failure;
const refuser =
  (what: string): Refuser =>
  (kind, why, notes = {}) =>
    new Failure(kind, `${what}: ${why}`, notes);

/** The one filesystem with the label; anything else is somebody else's. */
function filesystemOf({ filesystems, layout, blank }: Content, { label }: Wish, no: Refuser): Filesystem {
  const elsewhere = { hint: 'choose another path; nothing that exists is ever formatted' };
  if (filesystems.length === 0 && blank)
    throw no('refused', 'it is blank, probably an interrupted creation by another tool', {
      hint: 'look who made it, then remove it and run this again',
    });
  if (filesystems.length === 0) throw no('refused', 'it holds unknown data', elsewhere);
  const labelled = filesystems.filter((one) => one.label === label);
  const [ours] = labelled;
  if (ours === undefined) {
    const labels = filesystems.map((one) => `${one.type} "${one.label}"`).join(', ');
    throw no('refused', `it holds ${labels}, not "${label}"`, { hint: 'ask for its label, or choose another path' });
  }
  const overlapping = filesystems.filter(({ offset }) => offset === ours.offset || offset === 0);
  if (labelled.length > 1) throw no('refused', `the label "${label}" is there ${labelled.length} times`, elsewhere);
  if (overlapping.length > 1 || (layout !== 'whole' && ours.offset === 0))
    throw no('refused', 'it is ambiguous: more than one filesystem or table claims the same bytes', elsewhere);
  return ours;
}

interface Comparison {
  wish: Wish;
  no: Refuser;
}

/** What was said must be so; what was not said may be anything. */
function compare(disk: Disk, filesystem: Filesystem, { wish, no }: Comparison): void {
  const facts: [string, string | undefined, string][] = [
    ['format', wish.format, disk.format],
    ['fs', wish.fs, filesystem.type],
    ['layout', wish.layout, disk.content?.layout ?? 'none'],
    ['uuid', wish.uuid, filesystem.uuid],
  ];
  for (const [flag, asked, is] of facts)
    if (asked !== undefined && asked !== is)
      throw no('refused', `its ${flag} is ${is}, not ${asked}`, { hint: `leave --${flag} out to take it as it is` });
}

const growing = 'grow it while no VM uses it: qemu-img resize';

/** States of a disk that is ours all the same. */
function warningsAbout(disk: Disk, { state }: Filesystem, { size }: Wish): string[] {
  const virtual = virtualSize(disk);
  const small = size !== undefined && virtual < size;
  return [
    ...warningsOf(disk.findings),
    ...(small ? [`it has ${formatSize(virtual)}, less than ${formatSize(size)}; ${growing}`] : []),
    ...(state === 'recover' ? ['its journal needs recovery; the guest replays it at the next mount'] : []),
    ...(state === 'errors' ? ['its filesystem has errors; let the guest run fsck'] : []),
  ];
}

/** Bytes that the guest sees. */
export const virtualSize = ({ header, fileSize }: Disk): number => header?.size ?? fileSize;

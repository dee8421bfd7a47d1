import { Failure } from '@platter/host/failure';
import type { Loop } from '@platter/host/tools/losetup';
import { sameFilesystem } from './filesystem.ts';
import type { Image } from './images.ts';

/** What an image is: `unmade` and `gone` are the beginning and the end of its life, `wrong` is a state to refuse. */
export type State =
  | { is: 'attached'; loop: Loop; pending: boolean; short: boolean }
  | { is: 'detached' }
  | { is: 'unmade' }
  | { is: 'gone' }
  | Wrong;

/** `row` is that of the table of image states in the specification; lower rows were looked at before. */
export interface Wrong {
  is: 'wrong';
  row: number;
  failure: Failure;
}

const wrong = (row: number, failure: Failure): Wrong => ({ is: 'wrong', row, failure });

/** The state of an image whose sidecar could be read, from facts alone; the phase of its group is judged elsewhere. */
export function stateOf(image: Image): State {
  return missing(image) ?? foreign(image) ?? damaged(image) ?? looped(image);
}

function missing({ path, sidecar, file, temp, loops }: Image): State | null {
  if (file !== null) return null;
  const [loop] = loops;
  if (temp !== null && sidecar.phase === 'creating') return { is: 'unmade' };
  if (loop !== undefined) return wrong(4, deleted(path, loop));
  if (sidecar.phase === 'creating') return { is: 'unmade' };
  if (sidecar.phase === 'removing' || sidecar.phase === 'leaving') return { is: 'gone' };
  return wrong(
    5,
    new Failure('corrupt', `${path} is missing`, {
      hint: `restore it from a backup, or name its directory with --dir`,
    }),
  );
}

const deleted = (path: string, loop: Loop) =>
  new Failure('corrupt', `${path} was deleted under a live loop: ${loop.name} holds the only copy`, {
    hint: `stop its users, then cp --sparse=always ${loop.name} ${path} && sync ${path}`,
  });

/** Identity: the same place, filesystem, inode and birth as recorded. */
export function isRecorded({ path, sidecar, file, filesystem }: Image): boolean {
  if (file === null || file.kind !== 'file' || sidecar.path !== path) return false;
  const born = sidecar.birthNs === null || file.birthNs === 0n || file.birthNs === BigInt(sidecar.birthNs);
  return born && file.ino === BigInt(sidecar.ino) && sameFilesystem(filesystem, sidecar);
}

function foreign(image: Image): State | null {
  if (isRecorded(image)) return null;
  return wrong(
    6,
    new Failure('refused', `${image.path} was moved, copied or restored: it is not the file that was recorded`, {
      hint: `put the original back at ${image.sidecar.path}`,
    }),
  );
}

function damaged({ path, sidecar, file, label }: Image): State | null {
  const making = sidecar.phase === 'creating';
  const ending = sidecar.phase === 'removing' || sidecar.phase === 'leaving';
  const size = file?.size ?? 0;
  if (size < sidecar.size && making) return { is: 'unmade' };
  if (size < sidecar.size) {
    const details = { has: `${size} bytes`, needs: `${sidecar.size} bytes` };
    return wrong(7, new Failure('corrupt', `${path} is truncated`, { details, hint: 'restore it from a backup' }));
  }
  if (typeof label === 'string') {
    if (making || ending) return null;
    const what = label === 'bad' ? 'a damaged PV label' : 'no PV label';
    return wrong(8, new Failure('corrupt', `${path} has ${what}`, { hint: 'restore it from a backup' }));
  }
  if (label.uuid === sidecar.pvUuid) return null;
  const details = { has: label.uuid, recorded: sidecar.pvUuid };
  return wrong(9, new Failure('refused', `${path} carries the label of another PV`, { details }));
}

function looped({ path, sidecar, file, loops, loopSize }: Image): State {
  const [loop, ...others] = loops;
  if (loop === undefined) return { is: 'detached' };
  if (others.length > 0) {
    const names = loops.map(({ name }) => name).join(', ');
    const failure = new Failure('refused', `${path} is served by ${loops.length} loops at once`, {
      details: { by: names },
      hint: `losetup -d the one that nothing uses: ${names}`,
    });
    return wrong(10, failure);
  }
  const odd = oddities(loop, sidecar.sectorSize);
  if (odd === null) return { is: 'attached', loop, pending: loop.autoclear, short: loopSize !== file?.size };
  const hint = `lvm-loop detach ${sidecar.group}, then lvm-loop attach ${sidecar.group}`;
  return wrong(11, new Failure('refused', `${path} is served by ${loop.name} ${odd}`, { hint }));
}

/** What of a loop is not as we attach them; null when nothing is. */
export function oddities({ readOnly, offset, sizeLimit, sectorSize }: Loop, wanted: number): string | null {
  if (readOnly) return 'read-only';
  if (offset !== 0) return `from byte ${offset} on`;
  if (sizeLimit !== 0) return `up to ${sizeLimit} bytes only`;
  return sectorSize === wanted ? null : `with sectors of ${sectorSize} bytes instead of ${wanted}`;
}

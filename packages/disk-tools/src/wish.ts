import { Invalid } from '@platter/units/invalid';
import { checkName, type NameRule } from '@platter/units/name';
import { formatSize, GiB, MiB, TiB } from '@platter/units/size';

/** What `ensure` was asked for; what is undefined was not said, and any value of an existing disk will do. */
export interface Wish {
  size: number | undefined;
  label: string;
  fs: 'ext4' | 'xfs' | undefined;
  layout: 'whole' | 'mbr' | undefined;
  format: 'qcow2' | 'raw' | undefined;
  uuid: string | undefined;
  mode: number;
}

/** A disk to make: the wish with nothing open. Sizes in bytes. */
export type NewDisk = { [K in keyof Wish]: Exclude<Wish[K], undefined> };

const labelRule = (fs: string, max: number): NameRule => ({
  what: `label of ${fs}`,
  pattern: /^[A-Za-z0-9._-]+$/,
  max,
  rule: 'letters, digits, ".", "_" and "-"',
});
const labels = { ext4: labelRule('ext4', 16), xfs: labelRule('XFS', 12) };
const leastSize = { ext4: 64 * MiB, xfs: 300 * MiB };
const mostSize = 8 * TiB;

/** The wish completed by the defaults, all but the UUID. Invalid when no such disk can be made. */
export function newDisk(wish: Wish): Omit<NewDisk, 'uuid'> {
  const { size = 10 * GiB, fs = 'ext4', layout = 'whole', format = 'qcow2' } = wish;
  checkName(labels[fs], wish.label);
  checkSize(size, fs);
  if (layout === 'mbr' && fs !== 'ext4') throw new Invalid(`--layout mbr holds ext4 only, not ${fs}`);
  if (layout === 'mbr' && size >= 2 * TiB) throw new Invalid('--layout mbr ends below 2 TiB: use --layout whole');
  return { ...wish, size, fs, layout, format };
}

function checkSize(size: number, fs: 'ext4' | 'xfs'): void {
  const least = leastSize[fs];
  if (size % MiB === 0 && size >= least && size <= mostSize) return;
  const range = `a multiple of 1 MiB from ${formatSize(least)} (${fs}) to ${formatSize(mostSize)}`;
  throw new Invalid(`--size ${size} is not ${range}`);
}

/** A UUID as the tools print it, in lower case. */
export function parseUuid(text: string): string {
  const lower = text.toLowerCase();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(lower)) return lower;
  throw new Invalid(`"${text}" is not a UUID, as in 7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a11`);
}

/** Bytes that must be free where the disk is made: scratch and result, and what their metadata may grow to. */
export const neededSpace = ({ size, fs }: Pick<NewDisk, 'size' | 'fs'>): number =>
  2 * (32 * MiB + Math.ceil(size / 8192)) + (fs === 'xfs' ? 128 * MiB : 0);

import { basename, dirname, join, resolve } from 'node:path';
import { Invalid } from '@platter/units/invalid';

/** A path as it was said, and the absolute one it means. */
export interface Target {
  said: string;
  path: string;
  dir: string;
  name: string;
}

/** The place that a word names, `..` resolved. Invalid when its last name is one that a disk cannot have. */
export function targetOf(cwd: string, said: string): Target {
  const path = resolve(cwd, said);
  return { said, path, dir: dirname(path), name: checkDiskName(basename(path)) };
}

/** A name that still fits a directory with our prefix and suffix around it, and that can be printed. */
function checkDiskName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  const printable = !/[\x00-\x1f\x7f\ufffd]/.test(name);
  if (printable && new TextEncoder().encode(name).length <= 200) return name;
  throw new Invalid(
    `${JSON.stringify(name)} is not a disk's name: UTF-8 without control characters, at most 200 bytes`,
  );
}

/** The file that is flocked by whoever makes or replaces the disk. */
export const lockOf = ({ dir, name }: Target): string => join(dir, `.${name}.platter-lock`);

/** The scratch directory of one run, by its 16 hex digits. */
export const workspaceOf = ({ dir, name }: Target, id: string): string => join(dir, `.${name}.platter-${id}`);

import { basename, dirname, join } from 'node:path';
import { Invalid } from '@platter/units/invalid';
import { checkName, type NameRule } from '@platter/units/name';
import { formatSize, GiB, MiB } from '@platter/units/size';

export const groupRule: NameRule = {
  what: 'group name',
  pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  max: 253,
  rule: 'lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
};

export const fileRule: NameRule = {
  what: 'file name',
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  max: 63,
  rule: 'lower-case letters, digits and "-", beginning and ending with a letter or digit',
};

export const vgRule: NameRule = {
  what: 'VG name',
  pattern: /^[A-Za-z0-9_+][A-Za-z0-9_+.-]*$/,
  max: 127,
  rule: 'letters, digits and "_", "+", ".", "-", not beginning with "." or "-"',
};

/** Which naming and tags apply: ours, or those of Deckhouse's LVMVolumeGroup. */
export type Scheme = 'VolumeGroup' | 'LVMVolumeGroup';

/** The file name of a new image. */
export function imageName(scheme: Scheme, group: string, file: string): string {
  return `${scheme === 'LVMVolumeGroup' ? 'sds-' : ''}${group}.${file}.img`;
}

const imagePattern = /^(sds-)?([a-z0-9][-a-z0-9.]*)\.([a-z0-9][-a-z0-9]*)\.img$/;

/** The group and file an image is named after, split at the last dot before `.img`; null for another name. */
export function parseImageName(name: string): { scheme: Scheme; group: string; file: string } | null {
  const [, deckhouse, group, file] = imagePattern.exec(name) ?? [];
  if (group === undefined || file === undefined) return null;
  return { scheme: deckhouse === undefined ? 'VolumeGroup' : 'LVMVolumeGroup', group, file };
}

const suffix = '.lvm-loop.json';

export const sidecarPath = (image: string): string => `${image}${suffix}`;
/** The image a sidecar lies beside; null for another name. Names with a leading dot are temporary. */
export const imageOf = (path: string): string | null =>
  path.endsWith(suffix) && !basename(path).startsWith('.') ? path.slice(0, -suffix.length) : null;
/** The name an image is made under. */
export const creatingPath = (image: string): string => join(dirname(image), `.${basename(image)}.creating`);
/** The name a sidecar is written under. */
export const newPath = (sidecar: string): string => join(dirname(sidecar), `.${basename(sidecar)}.new`);

const longest = 255;

/** Group and file as a new image's name, when every name derived from it fits into a directory entry. */
export function checkImageName(scheme: Scheme, group: string, file: string): string {
  checkName(groupRule, group);
  checkName(fileRule, file);
  const image = imageName(scheme, group, file);
  if (basename(newPath(sidecarPath(image))).length > longest)
    throw new Invalid(`the names "${group}" and "${file}" are together too long for a file name of ${longest} bytes`);
  return image;
}

/** Bytes an image may have: whole MiB, and at least what LVM and the scheme ask for. */
export function checkImageSize(scheme: Scheme, size: number): number {
  const least = scheme === 'LVMVolumeGroup' ? GiB : 64 * MiB;
  if (size >= least && size % MiB === 0) return size;
  throw new Invalid(`${size} bytes is not a size for an image: a multiple of 1 MiB, at least ${formatSize(least)}`);
}

/** At most so many files make a group. */
export const mostFiles = 32;

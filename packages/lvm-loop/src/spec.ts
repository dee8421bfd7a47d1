import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import { checkName } from '@platter/units/name';
import { GiB, MiB, parseSize, sizeWord } from '@platter/units/size';
import { checkImageName, checkImageSize, groupRule, mostFiles, type Scheme, vgRule } from './names.ts';
import type { Reserve } from './space.ts';

export interface FileSpec {
  name: string;
  directory: string | null;
  size: number;
  /** Any other filesystem is refused. */
  fsUuid: string | null;
}

export interface ThinPoolSpec {
  name: string;
  /** Bytes, or a share of the VG in percent. */
  size: { bytes: number } | { percent: number };
}

/** A group as somebody wants it; null: not said, so as it is, or the default for a new one. */
export interface GroupSpec {
  name: string;
  scheme: Scheme;
  vgName: string | null;
  nodeName: string | null;
  files: readonly FileSpec[];
  extentSize: number | null;
  sectorSize: 512 | 4096 | null;
  sparse: boolean;
  directIO: 'auto' | 'off' | null;
  activate: boolean | null;
  reserve: Reserve;
  thinPools: readonly ThinPoolSpec[];
}

export const defaultReserve: Reserve = { percent: 15, floor: GiB };
export const defaultExtent = 4 * MiB;

/** Bytes as a spec writes them: exact, in binary units (`20Gi`). */
export const sizeText = (bytes: number): string => sizeWord(bytes).replace(/[KMGTPE]$/, '$&i');

/** `NAME=SIZE[@DIR]` of the command line. */
export function parseFile(text: string): FileSpec {
  const [, name, size, directory] = /^([^=]+)=([^@]+)(?:@(.+))?$/.exec(text) ?? [];
  if (name === undefined || size === undefined)
    throw new Invalid(`"${text}" is not a file: use NAME=SIZE or NAME=SIZE@DIR, as in d0=20Gi`);
  return { name, size: parseSize(size), directory: directory ?? null, fsUuid: null };
}

/** `15%` or `15%,1Gi`: a share of the filesystem, and the least that stays free. */
export function parseReserve(text: string): Reserve {
  const [, percent, floor] = /^(\d+)%(?:,(.+))?$/.exec(text) ?? [];
  if (percent === undefined || Number(percent) > 90)
    throw new Invalid(`"${text}" is not a reserve: a share of 0% to 90%, and the least after a comma, as in 15%,1Gi`);
  return { percent: Number(percent), floor: floor === undefined ? defaultReserve.floor : parseSize(floor) };
}

/** `4Mi`: bytes of an extent, a power of two from 1 MiB to 1 GiB. */
export function parseExtent(text: string): number {
  const size = parseSize(text);
  if (size >= MiB && size <= GiB && Number.isInteger(Math.log2(size))) return size;
  throw new Invalid(`"${text}" is not an extent size: a power of two from 1Mi to 1Gi`);
}

/** `50%` of the VG, or a size. */
export function parseShare(text: string): ThinPoolSpec['size'] {
  const [, percent] = /^(\d{1,3})%$/.exec(text) ?? [];
  if (percent === undefined) return { bytes: parseSize(text) };
  if (Number(percent) >= 1 && Number(percent) <= 100) return { percent: Number(percent) };
  throw new Invalid(`"${text}" is not a share: 1% to 100%`);
}

/** The spec itself when its names, sizes and number of files keep the rules; Invalid otherwise. */
export function checkSpec(spec: GroupSpec): GroupSpec {
  const { name, scheme, files } = spec;
  checkName(groupRule, name);
  checkName(vgRule, spec.vgName ?? name);
  if (files.length === 0) throw new Invalid(`the group "${name}" has no files: name at least one, as in d0=20Gi`);
  if (files.length > mostFiles)
    throw new Invalid(`the group "${name}" has ${files.length} files: ${mostFiles} at most`);
  for (const file of files) {
    checkImageName(scheme, name, file.name);
    checkImageSize(scheme, file.size);
  }
  unique('file', files);
  unique('thin pool', spec.thinPools);
  return spec;
}

function unique(what: string, named: readonly { name: string }[]): void {
  const names = named.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Invalid(`the ${what} "${twice}" is there twice`);
}

/** What a document asks for that this host cannot do, before anything is changed. */
export function checkPossible(spec: GroupSpec, dm: boolean): void {
  if (spec.thinPools.length === 0 || dm) return;
  throw new Failure('unsupported', `will not make the thin pool ${spec.thinPools[0]?.name}: no device-mapper`, {
    hint: 'modprobe dm-mod and dm-thin-pool, or leave thinPools out',
  });
}

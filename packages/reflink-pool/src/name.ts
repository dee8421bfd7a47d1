import { Invalid } from '@platter/units/invalid';

const segment = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const reserved = /-(dirty|precache|import|cow)$/;
const label = /^[a-z][a-z0-9._-]{0,62}$/;

/** Whether one part of a volume's name keeps the rule; the last part may not end like one of our own files. */
export function isSegment(text: string, last: boolean): boolean {
  return segment.test(text) && !text.includes('.img') && !(last && reserved.test(text));
}

/** Whether a text is a volume's name. */
export function isVolume(text: string): boolean {
  const parts = text.split('/');
  return parts.length <= 4 && parts.every((part, index) => isSegment(part, index === parts.length - 1));
}

/** A volume's name: 1-4 segments joined by `/`; Invalid with the rule otherwise. */
export function checkVolume(text: string): string {
  if (isVolume(text)) return text;
  throw new Invalid(
    `${JSON.stringify(text)} is not a volume name: 1-4 parts joined by "/", each of letters, digits, "_", "." and "-", beginning with a letter or digit, at most 63 long, without ".img"; the last not ending in -dirty, -precache, -import or -cow`,
  );
}

/** A label or set name; `head` and `latest` mean something else. */
export function checkLabel(text: string): string {
  if (label.test(text) && text !== 'head' && text !== 'latest') return text;
  throw new Invalid(
    `${JSON.stringify(text)} is not a label: lower-case letters, digits, ".", "_" and "-", beginning with a letter, at most 63 long, and neither head nor latest`,
  );
}

/** Who pins a revision: any word that can be read in a list. */
export function checkOwner(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,62}$/.test(text)) return text;
  throw new Invalid(
    `${JSON.stringify(text)} is not an owner: letters, digits, ".", "_", ":", "@", "/" and "-", beginning with a letter or digit, at most 63 long`,
  );
}

/** What a file of a volume is for (the names of the Qubes `file-reflink` driver). */
export type Role =
  | { role: 'head' | 'work' | 'prepared' | 'import' | 'temp' }
  | { role: 'revision'; number: number; time: string };

const revision = /^\.img\.([1-9]\d*)@(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z$/;
const fixed: Record<string, 'head' | 'work' | 'prepared' | 'import'> = {
  '.img': 'head',
  '-dirty.img': 'work',
  '-precache.img': 'prepared',
  '-import.img': 'import',
};
const ends = { head: '.img', work: '-dirty.img', prepared: '-precache.img', import: '-import.img' } as const;

function plainRole(rest: string): Role | null {
  const role = fixed[rest];
  if (role !== undefined) return { role };
  const [, digits, time] = revision.exec(rest) ?? [];
  const number = Number(digits);
  return time !== undefined && Number.isSafeInteger(number) ? { role: 'revision', number, time: `${time}Z` } : null;
}

/** What a file name is for the volume whose last segment is `base`; null when it is not one of its files. */
export function roleOf(base: string, name: string): Role | null {
  if (!name.startsWith(base)) return null;
  const [, plain = name] = /^(.*)~[a-z0-9_]{8}$/.exec(name) ?? [];
  const role = plainRole(plain.slice(base.length));
  return role !== null && plain !== name ? { role: 'temp' } : role;
}

/** What stands before `.img` in the names of a volume's files. */
export const stemsOf = (base: string): string[] => Object.values(ends).map((end) => `${base}${end.slice(0, -4)}`);

/** The last segment of the volume a file name belongs to; null for a foreign file. */
export function baseOf(name: string): string | null {
  const [stem = ''] = name.split('.img');
  const candidates = [stem, stem.replace(/-(dirty|precache|import)$/, '')];
  return candidates.find((base) => isSegment(base, true) && roleOf(base, name) !== null) ?? null;
}

/** The path of a volume's file that has a fixed name. */
export const fileOf = (base: string, role: keyof typeof ends): string => `${base}${ends[role]}`;

/** The path of a revision: its time is the UTC second of the image's mtime. */
export function revisionFile(base: string, number: number, mtimeNs: bigint): string {
  const at = new Date(Number(mtimeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${base}.img.${number}@${at}Z`;
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789_';

/** A temporary name of a file: eight random characters after `~`. */
export function tempOf(path: string, random: Uint8Array): string {
  return `${path}~${[...random.subarray(0, 8)].map((byte) => letters[byte % letters.length]).join('')}`;
}

/** How a volume is called where `/` may not stand. */
export const encoded = (volume: string): string => volume.replaceAll('/', '%2F');

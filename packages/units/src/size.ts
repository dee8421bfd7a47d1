import { Invalid } from './invalid.ts';

const units = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
const grammar = /^(\d{1,19})(?:([KMGTPE])i?)?$/;

export const KiB = 1024;
export const MiB = 1024 ** 2;
export const GiB = 1024 ** 3;
export const TiB = 1024 ** 4;

/** `10G`, `10Gi` (both 1024-based) or plain bytes to a safe integer of bytes; anything else is Invalid. */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = grammar.exec(text) ?? [];
  if (digits === undefined)
    throw new Invalid(`"${text}" is not a size: use bytes or a whole number with K, M, G, T, P, E`);
  const bytes = Number(digits) * 1024 ** units.indexOf(unit);
  if (!Number.isSafeInteger(bytes)) throw new Invalid(`"${text}" is too large: sizes end at 8 PiB`);
  return bytes;
}

/** Bytes for people: up to three significant places, binary units (`6.2 MiB`, `20 GiB`, `512 bytes`). */
export function formatSize(bytes: number): string {
  const power = Math.min(bytes < KiB ? 0 : Math.floor(Math.log2(bytes) / 10), 6);
  if (power === 0) return `${bytes} bytes`;
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) || value >= 100 ? Math.round(value) : value.toFixed(value < 10 ? 2 : 1).replace(/\.?0+$/, '')} ${units[power]}iB`;
}

/** Bytes in the shortest exact word that parseSize reads back (`20G`, `1536K`, `513`). */
export function sizeWord(bytes: number): string {
  let power = 0;
  let value = bytes;
  while (value > 0 && value % 1024 === 0 && power < 6) {
    value /= 1024;
    power += 1;
  }
  return `${value}${units[power]}`;
}

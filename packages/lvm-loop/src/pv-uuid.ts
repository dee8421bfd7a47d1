import { dashed } from './label.ts';

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
/** Bytes from here on would make some characters likelier than others. */
const fair = 256 - (256 % alphabet.length);

/** A UUID in LVM's own form, chosen by us before the PV exists. */
export function newPvUuid(random: (length: number) => Uint8Array): string {
  let id = '';
  while (id.length < 32)
    for (const byte of random(32)) if (byte < fair && id.length < 32) id += alphabet[byte % alphabet.length];
  return dashed(id);
}

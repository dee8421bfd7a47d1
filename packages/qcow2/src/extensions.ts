import { escapeText } from './text.ts';

/** A header extension: `at` and `length` of its data in the file. */
export interface Extension {
  type: number;
  at: number;
  length: number;
}

/** A feature bit that the image names itself; the name is escaped. */
export interface FeatureName {
  kind: number;
  bit: number;
  name: string;
}

/** Extension types (qcow2 spec, Header extensions). */
export const EXTENSION = {
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  crypto: 0x0537be77,
  dataFile: 0x44415441,
} as const;

/**
 * Walks the extensions of the first cluster (`view`) from the header's end to type 0 or the backing name
 * (qcow2 spec, Header extensions). One that does not fit is listed last, and `extensionsEnd` is null.
 */
export function walkExtensions(view: DataView, from: number, name: number | null) {
  const extensions: Extension[] = [];
  const toName = name !== null && name >= from && name <= view.byteLength;
  const end = toName ? name : view.byteLength;
  let at = from;
  while (at + 8 <= end) {
    const [type, length] = [view.getUint32(at), view.getUint32(at + 4)];
    if (type === 0) return { extensions, extensionsEnd: at };
    extensions.push({ type, at: at + 8, length });
    if (length > end - at - 8) return { extensions, extensionsEnd: null };
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return { extensions, extensionsEnd: toName ? end : null };
}

const FEATURE_ENTRY = 48;

/** The feature-name table: entries of kind, bit and 46 bytes of name (qcow2 spec, Feature name table). */
export function featureNames(head: Uint8Array, extensions: readonly Extension[]): FeatureName[] {
  const table = extensions.find((extension) => extension.type === EXTENSION.featureNames);
  if (table === undefined || table.at + table.length > head.length) return [];
  return Array.from({ length: Math.floor(table.length / FEATURE_ENTRY) }, (_, index) => {
    const entry = head.subarray(table.at + index * FEATURE_ENTRY, table.at + (index + 1) * FEATURE_ENTRY);
    const name = entry.subarray(2);
    const stop = name.indexOf(0);
    return {
      kind: entry[0] as number,
      bit: entry[1] as number,
      name: escapeText(stop < 0 ? name : name.subarray(0, stop)),
    };
  });
}

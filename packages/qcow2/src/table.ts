import { viewOf, wordsOf } from './bits.ts';
import {
  type Broken,
  brokenBitmap,
  brokenL2,
  entryFinding,
  hostOf,
  isPacked,
  packedAt,
  packedLength,
} from './entries.ts';
import type { Finding } from './finding.ts';
import type { Shape } from './shape.ts';

/** What a unit of the guest is. `DAMAGED` breaks a geometry rule; nobody outside this package sees it. */
export const ABSENT = 0;
export const ZERO = 1;
export const DATA = 2;
export const COMPRESSED = 3;
export const DAMAGED = 4;

/** Decoded L2 entries, one element per unit: its kind, its host offset, and the bytes of a compressed cluster. */
export interface Table {
  kind: Uint8Array;
  host: Float64Array;
  packed: Uint32Array;
}

/** An empty table of `units` units. */
export const newTable = (units: number): Table => ({
  kind: new Uint8Array(units),
  host: new Float64Array(units),
  packed: new Uint32Array(units),
});

function setCompressed(into: Table, unit: number, [host, packed]: readonly [number, number]): void {
  into.kind[unit] = COMPRESSED;
  into.host[unit] = host;
  into.packed[unit] = packed;
}

/** Decodes one entry that is not zero; whether it breaks no rule. */
function decodeEntry(
  shape: Shape,
  [hi, lo]: readonly [number, number],
  { into, index }: { into: Table; index: number },
) {
  if (brokenL2(shape, hi, lo) !== '') {
    into.kind[index] = DAMAGED;
    return false;
  }
  if (isPacked(hi)) setCompressed(into, index, [packedAt(shape, hi, lo), packedLength(shape, hi, lo)]);
  else {
    const host = hostOf(hi, lo);
    into.kind[index] = (lo & 1) !== 0 ? ZERO : host === 0 ? ABSENT : DATA;
    into.host[index] = host;
  }
  return true;
}

function decodeStandard(shape: Shape, raw: Uint8Array, into: Table): number {
  const [view, words] = [viewOf(raw), wordsOf(raw)];
  let damaged = 0;
  into.kind.fill(ABSENT, 0, raw.length / 8);
  for (let index = 0; index < raw.length / 8; index++) {
    if (((words[index * 2] as number) | (words[index * 2 + 1] as number)) === 0) continue;
    const entry = [view.getUint32(index * 8), view.getUint32(index * 8 + 4)] as const;
    if (!decodeEntry(shape, entry, { into, index })) damaged++;
  }
  return damaged;
}

/** The rule that the entry at `at` of a slice of L2 entries breaks, or ''. */
function brokenEntry(shape: Shape, view: DataView, at: number): Broken {
  const [hi, lo] = [view.getUint32(at), view.getUint32(at + 4)];
  const broken = brokenL2(shape, hi, lo);
  if (broken !== '' || !shape.extended || isPacked(hi)) return broken;
  const [zero, allocated] = [view.getUint32(at + 8), view.getUint32(at + 12)];
  return brokenBitmap(shape, { zero, allocated, host: hostOf(hi, lo) });
}

/** The 32 subclusters of the entry at `at`: low bits allocated, high bits zero (qcow2 spec, Extended L2 Entries). */
function decodeSubclusters(shape: Shape, view: DataView, { at, into }: { at: number; into: Table }): void {
  const [hi, lo] = [view.getUint32(at), view.getUint32(at + 4)];
  const [zero, allocated] = [view.getUint32(at + 8), view.getUint32(at + 12)];
  const [first, host] = [at * 2, hostOf(hi, lo)];
  if (!isPacked(hi) && (zero | allocated) === 0) return void into.kind.fill(ABSENT, first, first + 32);
  const packed = [packedAt(shape, hi, lo), packedLength(shape, hi, lo)] as const;
  for (let sub = 0; sub < 32; sub++) {
    if (isPacked(hi)) setCompressed(into, first + sub, packed);
    else {
      into.kind[first + sub] = (allocated >>> sub) & 1 ? DATA : (zero >>> sub) & 1 ? ZERO : ABSENT;
      into.host[first + sub] = host + sub * shape.unit;
    }
  }
}

function decodeExtended(shape: Shape, view: DataView, into: Table): number {
  let damaged = 0;
  for (let at = 0; at < view.byteLength; at += 16) {
    if (brokenEntry(shape, view, at) === '') decodeSubclusters(shape, view, { at, into });
    else {
      into.kind.fill(DAMAGED, at * 2, at * 2 + 32);
      damaged++;
    }
  }
  return damaged;
}

/** Decodes a slice of L2 entries into the first units of `into`; returns how many entries are broken. */
export function decode(shape: Shape, raw: Uint8Array, into: Table): number {
  return shape.extended ? decodeExtended(shape, viewOf(raw), into) : decodeStandard(shape, raw, into);
}

/** One finding for each broken entry of a slice of L2 entries that lies at file offset `at`. */
export function* damages(shape: Shape, raw: Uint8Array, at: number): Generator<Finding> {
  const view = viewOf(raw);
  for (let from = 0; from < raw.length; from += shape.entrySize) {
    const rule = brokenEntry(shape, view, from);
    const entry = raw.subarray(from, from + shape.entrySize);
    if (rule !== '') yield entryFinding(entry, rule, { field: 'L2 entry', at: at + from });
  }
}

import { viewOf } from './bits.ts';
import { brokenL1, entryFinding, hostOf } from './entries.ts';
import { type Finding, type Policy, Refused } from './finding.ts';
import { type Header, parseHeader } from './header.ts';
import { judge } from './judge.ts';
import { shapeOf } from './shape.ts';
import type { ByteSource } from './source.ts';

/**
 * An image whose header passed, and its whole L1 table: host offsets of L2 tables, 0 for none,
 * NaN for an entry that breaks a rule (reading through it rejects `Refused`).
 */
export interface Layer {
  source: ByteSource;
  header: Header;
  l1: Float64Array;
}

const SLAB = 2 ** 17;

async function readL1(source: ByteSource, header: Header): Promise<Float64Array> {
  const shape = shapeOf(header);
  const l1 = new Float64Array(header.l1.entries);
  for (let from = 0; from < l1.length; from += SLAB) {
    const view = viewOf(await source.read(header.l1.at + from * 8, Math.min(SLAB, l1.length - from) * 8));
    for (let at = 0; at < view.byteLength; at += 8) {
      const [hi, lo] = [view.getUint32(at), view.getUint32(at + 4)];
      l1[from + at / 8] = brokenL1(shape, hi, lo) === '' ? hostOf(hi, lo) : Number.NaN;
    }
  }
  return l1;
}

/** The L2 tables that several L1 entries point to. */
export function repeatedTables(l1: Float64Array): Set<number> {
  const used = l1.filter((table) => table > 0).sort();
  return new Set(used.filter((table, index) => table === used[index + 1]));
}

/** The finding that L1 entry `index` points to a table already in use. */
export function repeatedFinding(header: Header, index: number): Finding {
  const place = { field: 'L1 entry', at: header.l1.at + index * 8, value: String(index) };
  return { rule: 'G5', verdict: 'corrupt', ...place, message: 'the L2 table is used twice' };
}

/** An image with any header that can be read at all, whatever else is said of it. Rejects `Refused`. */
export async function surveyLayer(source: ByteSource, header: Header): Promise<Layer> {
  const standing = judge(header, 'attach').filter(
    ({ rule, verdict }) => verdict === 'corrupt' || (rule === 'Q2' && verdict === 'refuse'),
  );
  if (standing.length > 0) throw new Refused(standing);
  return { source, header, l1: await readL1(source, header) };
}

/** The same, without an L2 table that is used twice: what is read is then no more than the file holds. */
export async function layerOf(source: ByteSource, header: Header): Promise<Layer> {
  const layer = await surveyLayer(source, header);
  for (const table of repeatedTables(layer.l1)) {
    throw new Refused([repeatedFinding(header, layer.l1.lastIndexOf(table))]);
  }
  return layer;
}

/** Reads the header and the L1 table. Rejects `NotQcow2`, or `Refused` when `policy` refuses or calls it corrupt. */
export async function openLayer(source: ByteSource, policy: Policy): Promise<Layer> {
  const header = await parseHeader(source);
  const findings = judge(header, policy).filter((finding) => finding.verdict !== 'warn');
  if (findings.length > 0) throw new Refused(findings);
  return layerOf(source, header);
}

/** The finding about a broken L1 entry. */
export async function l1Finding(layer: Layer, index: number): Promise<Finding> {
  const at = layer.header.l1.at + index * 8;
  const raw = await layer.source.read(at, 8);
  const view = viewOf(raw);
  const rule = brokenL1(shapeOf(layer.header), view.getUint32(0), view.getUint32(4));
  return entryFinding(raw, rule, { field: 'L1 entry', at });
}

import { blindLedger, claimLedger, type Ledger } from './claims.ts';
import { type Finding, Findings } from './finding.ts';
import type { Header } from './header.ts';
import { type Layer, surveyLayer } from './open.ts';
import { shapeOf } from './shape.ts';
import type { ByteSource } from './source.ts';
import { surveyFixed, surveyRefcounts, surveyTables } from './survey.ts';
import { ABSENT, COMPRESSED, DATA, ZERO } from './table.ts';
import type { Window } from './windows.ts';

/** What an image holds. Data, zero, compressed and absent are guest bytes and sum to the virtual size. */
export interface Census {
  clusterSize: number;
  l2Tables: number;
  dataBytes: number;
  zeroBytes: number;
  compressedClusters: number;
  compressedBytes: number;
  /** Guest bytes without an entry, or with a broken one. */
  absentBytes: number;
  fileSize: number;
  findings: Finding[];
}

/** Guest bytes per kind, in the order of the kinds' numbers, and units that have an entry beyond the virtual size. */
interface Tally {
  bytes: Float64Array;
  tables: number;
  beyond: number;
}

function count(tally: Tally, { kind, unit, units, at }: Window, size: number): void {
  const inside = Math.max(0, Math.min(units, Math.ceil((size - at) / unit)));
  for (let index = 0; index < inside; index++) {
    const of = kind[index] as number;
    tally.bytes[of] = (tally.bytes[of] as number) + unit;
  }
  for (let index = inside; index < units; index++) if (kind[index] !== ABSENT) tally.beyond++;
  const excess = at + inside * unit - size;
  const last = kind[inside - 1] ?? ABSENT;
  if (inside > 0 && excess > 0) tally.bytes[last] = (tally.bytes[last] as number) - excess;
}

function unchecked(layer: Layer, why: string): Finding {
  const value = String(layer.header.fileSize);
  const message = `host clusters were not checked for double use: ${why}`;
  return { rule: 'G5', verdict: 'warn', field: 'file', value, message };
}

function ledgerFor(layer: Layer, findings: Findings): Ledger {
  const { fileSize, clusterSize } = shapeOf(layer.header);
  const shared = layer.header.snapshots.count > 0;
  const ledger = shared ? null : claimLedger(fileSize, clusterSize);
  if (ledger !== null) return ledger;
  findings.add(unchecked(layer, shared ? 'snapshots share them' : 'there are too many'));
  return blindLedger;
}

/** A census of a layer, and how many units have an entry beyond the virtual size. */
export async function surveyed(layer: Layer): Promise<{ census: Census; beyond: number }> {
  const { clusterSize, fileSize, reach } = shapeOf(layer.header);
  const findings = new Findings();
  const survey = { layer, findings, ledger: ledgerFor(layer, findings) };
  const tally: Tally = { bytes: new Float64Array(5), tables: 0, beyond: 0 };
  surveyFixed(survey);
  await surveyRefcounts(survey);
  for await (const window of surveyTables(survey)) {
    count(tally, window, layer.header.size);
    if (window.at % reach === 0) tally.tables++;
  }
  const [dataBytes, zeroBytes, compressedBytes] = [DATA, ZERO, COMPRESSED].map((kind) => tally.bytes[kind] as number);
  const held = { dataBytes: dataBytes ?? 0, zeroBytes: zeroBytes ?? 0, compressedBytes: compressedBytes ?? 0 };
  const absentBytes = layer.header.size - held.dataBytes - held.zeroBytes - held.compressedBytes;
  const compressedClusters = Math.ceil(held.compressedBytes / clusterSize);
  const rest = { clusterSize, l2Tables: tally.tables, compressedClusters, absentBytes, fileSize };
  return { census: { ...rest, ...held, findings: findings.list() }, beyond: tally.beyond };
}

/**
 * Walks all metadata once: what the image holds, and every broken geometry rule (G1 to G5, G7, G8; the first hundred).
 * Memory: one window and two bits per host cluster. Rejects `Refused` on a corrupt header.
 */
export async function census(source: ByteSource, header: Header): Promise<Census> {
  return (await surveyed(await surveyLayer(source, header))).census;
}

import { u64, viewOf, wordsOf } from './bits.ts';
import type { Claimant, Ledger } from './claims.ts';
import { hostOf, isPacked, packedAt, packedLength } from './entries.ts';
import type { Finding, Findings } from './finding.ts';
import { type Layer, l1Finding, repeatedFinding, repeatedTables } from './open.ts';
import { type Shape, shapeOf } from './shape.ts';
import { DAMAGED, damages } from './table.ts';
import { type Window, windowsOf, windowTable } from './windows.ts';

/** A walk over all metadata of a layer: who is told what it refers to and what is wrong. */
export interface Survey {
  layer: Layer;
  ledger: Ledger;
  findings: Findings;
}

const SLAB = 2 ** 20;

function taken(host: number, place: Claimant): Finding {
  const message = 'the host cluster belongs to something else as well';
  return { rule: 'G5', verdict: 'corrupt', ...place, value: String(host), message };
}

function own({ ledger, findings }: Survey, host: { at: number; length: number }, place: Claimant): void {
  if (!ledger.own(host.at, host.length)) findings.add(taken(host.at, place));
}

/** Tells of the header, the L1 table and the refcount table. */
export function surveyFixed(survey: Survey): void {
  const { l1, refcount, fileSize } = survey.layer.header;
  const { clusterSize } = shapeOf(survey.layer.header);
  const l1Length = Math.ceil((l1.entries * 8) / clusterSize) * clusterSize;
  own(survey, { at: 0, length: Math.min(clusterSize, fileSize) }, { field: 'header', at: 0 });
  own(survey, { at: l1.at, length: Math.min(l1Length, fileSize - l1.at) }, { field: 'l1_table_offset', at: 40 });
  const table = { at: refcount.at, length: refcount.clusters * clusterSize };
  own(survey, table, { field: 'refcount_table_offset', at: 48 });
}

/** Offsets of the refcount blocks, 0 for none and for a broken pointer (G8, qcow2 spec, Refcount table). */
export async function surveyRefcounts(survey: Survey): Promise<Float64Array> {
  const { source, header } = survey.layer;
  const { clusterSize, fileSize } = shapeOf(header);
  const size = header.refcount.clusters * clusterSize;
  const blocks = new Float64Array(size / 8);
  for (let from = 0; from < size; from += SLAB) {
    const raw = await source.read(header.refcount.at + from, Math.min(SLAB, size - from));
    const [view, words] = [viewOf(raw), wordsOf(raw)];
    for (let at = 0; at < raw.length; at += 8) {
      if (((words[at / 4] as number) | (words[at / 4 + 1] as number)) === 0) continue;
      const host = u64(view, at);
      const place = { field: 'refcount table entry', at: header.refcount.at + from + at };
      const sound = host % clusterSize === 0 && host + clusterSize <= fileSize;
      if (sound) own(survey, { at: host, length: clusterSize }, place);
      else survey.findings.add(brokenBlock(host, place));
      blocks[(from + at) / 8] = sound ? host : 0;
    }
  }
  return blocks;
}

function brokenBlock(host: number, place: Claimant): Finding {
  const message = 'the refcount block is unaligned or not inside the file';
  return { rule: 'G8', verdict: 'corrupt', ...place, value: String(host), message };
}

/** Tells of all that the entries of a window refer to, but for broken ones. */
function surveyEntries({ ledger, findings }: Survey, shape: Shape, { raw, rawAt, kind }: Window): void {
  const [view, words] = [viewOf(raw), wordsOf(raw)];
  for (let at = 0; at < raw.length; at += shape.entrySize) {
    if (((words[at / 4] as number) | (words[at / 4 + 1] as number)) === 0) continue;
    const [hi, lo] = [view.getUint32(at), view.getUint32(at + 4)];
    if (kind[(at / shape.entrySize) * shape.units] === DAMAGED) continue;
    const packed = isPacked(hi);
    const host = packed ? packedAt(shape, hi, lo) : hostOf(hi, lo);
    const free = packed
      ? ledger.share(host, Math.min(packedLength(shape, hi, lo), shape.fileSize - host))
      : host === 0 || ledger.own(host, shape.clusterSize);
    if (!free) findings.add(taken(host, { field: 'L2 entry', at: rawAt + at }));
  }
}

/** The L1 entries whose tables can be walked, each table once. */
async function* soundTables(survey: Survey): AsyncGenerator<number> {
  const { layer, findings } = survey;
  const repeated = repeatedTables(layer.l1);
  const walked = new Set<number>();
  for (let index = 0; index < layer.l1.length; index++) {
    const table = layer.l1[index] as number;
    if (table === 0) continue;
    if (Number.isNaN(table)) findings.add(await l1Finding(layer, index));
    else if (walked.has(table)) findings.add(repeatedFinding(layer.header, index));
    else {
      if (repeated.has(table)) walked.add(table);
      yield index;
    }
  }
}

/** Tells of all L2 tables and what they refer to, and gives their windows in guest order. */
export async function* surveyTables(survey: Survey): AsyncGenerator<Window> {
  const { layer, findings } = survey;
  const shape = shapeOf(layer.header);
  const table = windowTable(layer.header);
  for await (const index of soundTables(survey)) {
    const host = { at: layer.l1[index] as number, length: shape.clusterSize };
    own(survey, host, { field: 'L1 entry', at: layer.header.l1.at + index * 8 });
    for await (const window of windowsOf(layer, index, table)) {
      if (window.damaged > 0) for (const finding of damages(shape, window.raw, window.rawAt)) findings.add(finding);
      surveyEntries(survey, shape, window);
      yield window;
    }
  }
}

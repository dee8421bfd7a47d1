import { hasBit, viewOf } from './bits.ts';
import { canonicalHeader, canonicalTail, stray } from './canonical.ts';
import { surveyed } from './census.ts';
import { type Counts, countLedger } from './claims.ts';
import { type Finding, Findings, type Verdict } from './finding.ts';
import type { Layer } from './open.ts';
import { shapeOf } from './shape.ts';
import { surveyFixed, surveyRefcounts, surveyTables } from './survey.ts';

const TWO32 = 2 ** 32;
const MANY = 0xffff;

const refcountFinding = (verdict: Verdict, value: string, message: string): Finding => {
  return { rule: 'refcount', verdict, field: 'refcount', value, message };
};

/** Reads count `index` of a block of `bits` wide counts, least significant bits first (qcow2 spec, Refcount blocks). */
function countReader(bits: number): (view: DataView, index: number) => number {
  if (bits === 64) return (view, index) => view.getUint32(index * 8) * TWO32 + view.getUint32(index * 8 + 4);
  if (bits === 32) return (view, index) => view.getUint32(index * 4);
  if (bits === 16) return (view, index) => view.getUint16(index * 2);
  const mask = 2 ** bits - 1;
  return (view, index) => (view.getUint8((index * bits) >>> 3) >>> ((index * bits) & 7)) & mask;
}

/** Counts all references of a layer and finds its refcount blocks. */
async function countReferences(layer: Layer, ledger: Counts): Promise<Float64Array> {
  const survey = { layer, ledger, findings: new Findings() };
  surveyFixed(survey);
  const blocks = await surveyRefcounts(survey);
  for await (const _ of surveyTables(survey));
  return blocks;
}

/** Compares stored with counted references; returns the leaks, and adds a finding for each count that is too low. */
async function compare(layer: Layer, { counts, blocks }: { counts: Uint16Array; blocks: Float64Array }, to: Findings) {
  const { clusterSize } = shapeOf(layer.header);
  const bits = 2 ** layer.header.refcount.order;
  const [perBlock, read] = [(clusterSize * 8) / bits, countReader(bits)];
  const empty = new DataView(new ArrayBuffer(clusterSize));
  let leaks = 0;
  for (let first = 0; first < counts.length; first += perBlock) {
    const block = blocks[first / perBlock] ?? 0;
    const view = block === 0 ? empty : viewOf(await layer.source.read(block, clusterSize));
    const part = counts.subarray(first, first + perBlock);
    for (let index = 0; index < part.length; index++) {
      const [stored, counted] = [read(view, index), part[index] as number];
      if (stored < counted) to.add(tooLow({ stored, counted, at: (first + index) * clusterSize }));
      else if (stored > counted && counted < MANY) leaks++;
    }
  }
  return leaks;
}

function tooLow({ stored, counted, at }: { stored: number; counted: number; at: number }): Finding {
  const message = `the host cluster at ${at} is used ${counted} times, its refcount is ${stored}`;
  return { ...refcountFinding('corrupt', String(stored), message), at };
}

/** Whether something refers to clusters that this package does not follow, so that no leak can be told. */
const followsAll = ({ header }: Layer): boolean => header.snapshots.count === 0 && !hasBit(header.autoclear, 0);

/**
 * Compares the stored refcounts with the references that the tables hold: one too low is corrupt, one too high is a
 * leak (counted, one warning). Broken entries are the census' business and count for nothing here. With snapshots or
 * bitmaps leaks are not told. Memory: two bytes per host cluster, one refcount block.
 */
export async function refcounts(layer: Layer): Promise<{ leaks: number; findings: Finding[] }> {
  const { fileSize, clusterSize } = shapeOf(layer.header);
  const ledger = countLedger(fileSize, clusterSize);
  if (ledger === null) {
    return { leaks: 0, findings: [refcountFinding('warn', String(fileSize), 'refcounts were not checked: too many')] };
  }
  const findings = new Findings();
  const blocks = await countReferences(layer, ledger);
  const above = await compare(layer, { counts: ledger.counts, blocks }, findings);
  const leaks = followsAll(layer) ? above : 0;
  if (!followsAll(layer)) findings.add(refcountFinding('warn', '', 'leaks are not told: snapshots or bitmaps'));
  if (leaks > 0) findings.add(refcountFinding('warn', String(leaks), `${leaks} host clusters are leaked`));
  return { leaks, findings: findings.list() };
}

/** What keeps a layer from being a canonical data file (`backup-chain`): empty for one that is. Reads all metadata. */
export async function canonical(layer: Layer): Promise<Finding[]> {
  const { census, beyond } = await surveyed(layer);
  const header = canonicalHeader(layer.header);
  const counts = await refcounts(layer);
  const tail = header.length === 0 && census.findings.length === 0 ? await canonicalTail(layer) : [];
  return [...header, ...stray(census, beyond), ...census.findings, ...counts.findings, ...tail];
}

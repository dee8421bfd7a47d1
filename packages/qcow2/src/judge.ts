import * as faults from './faults.ts';
import type { Finding, Policy, Verdict } from './finding.ts';
import { type Header, leastHeader, soundClusterBits } from './header.ts';

const columns: readonly Policy[] = ['attach', 'convert', 'full', 'increment', 'foreign-increment'];
const words: Record<string, Verdict> = { R: 'refuse', C: 'corrupt', W: 'warn' };

/** Rule, offset and name of the field, one verdict letter per column (`-` is fine), and what breaks the rule. */
type Rule = readonly [rule: string, at: number, field: string, verdicts: string, fault: (h: Header) => faults.Fault];

// Q1 is `NotQcow2`; Q3 and an unsupported version stand apart, because they silence other rules.
const rules: readonly Rule[] = [
  ['Q2', 4, 'version', 'W--RR', faults.oldVersion],
  ['Q4', 8, 'backing file', 'RRRRW', faults.backing],
  ['Q5', 8, 'backing file', 'RRRRR', faults.oddBacking],
  ['Q6', 20, 'cluster_bits', 'CCCCC', faults.clusterBits],
  ['Q7', 24, 'size', 'CCCCC', faults.size],
  ['Q8', 32, 'crypt_method', 'RRRRR', faults.encryption],
  ['Q9', 36, 'l1_size', 'CCCCC', faults.l1Entries],
  ['Q9', 40, 'l1_table_offset', 'CCCCC', faults.l1Place],
  ['Q10', 48, 'refcount_table_offset', 'CCCCC', faults.refcountPlace],
  ['Q10', 56, 'refcount_table_clusters', 'CCCCC', faults.refcountClusters],
  ['Q11', 60, 'nb_snapshots', 'WRRRR', faults.snapshots],
  ['Q12', 72, 'incompatible_features', 'CCCCC', faults.marks],
  ['Q13', 72, 'incompatible_features', 'RRRRR', faults.unknownFeatures],
  ['Q14', 104, 'compression_type', 'CCCCC', faults.compression],
  ['Q15', 72, 'incompatible_features', 'CCCCC', faults.smallSubclusters],
  ['Q16', 88, 'autoclear_features', 'RRRRR', faults.rawDataFile],
  ['Q17', 96, 'refcount_order', 'CCCCC', faults.refcountOrder],
  ['Q17', 100, 'header_length', 'CCCCC', faults.headerLength],
  ['Q18', 100, 'extensions', 'CCCCC', faults.brokenExtensions],
  ['Q19', 100, 'extensions', 'RRRRR', faults.foreignExtensions],
  ['Q20', 100, 'extensions', 'WWRWW', faults.strayFormat],
  ['Q21', 88, 'extensions', '--WWW', faults.bystanders],
];

function apply([rule, at, field, verdicts, fault]: Rule, header: Header, policy: Policy): Finding[] {
  const verdict = words[verdicts[columns.indexOf(policy)] ?? '-'];
  const found = verdict && header.fileSize >= at + 4 ? fault(header) : null;
  if (!verdict || !found) return [];
  return [{ rule, verdict, field, at, value: String(found.value), message: found.message }];
}

function short(h: Header): Finding[] {
  const claimed = soundClusterBits(h) ? Math.min(h.headerLength, 2 ** h.clusterBits) : 0;
  const length = Math.max(leastHeader(h.version), claimed);
  const [verdict, value] = ['corrupt' as const, String(h.fileSize)];
  const message = `the file ends inside its header of ${length} bytes`;
  return h.fileSize < length ? [{ rule: 'Q3', verdict, field: 'header', at: h.fileSize, value, message }] : [];
}

function unsupported(h: Header): Finding {
  const message = `version ${h.version} is not supported`;
  return { rule: 'Q2', verdict: 'refuse', field: 'version', at: 4, value: String(h.version), message };
}

/**
 * All rules of the header (Q2 to Q21) that `header` breaks, judged for `policy`; pure, reads nothing.
 * Fields beyond the end of a short file are not judged. Of an unsupported version only that is said.
 */
export function judge(header: Header, policy: Policy): Finding[] {
  if (header.fileSize >= 8 && header.version !== 2 && header.version !== 3)
    return [unsupported(header), ...short(header)];
  return [...short(header), ...rules.flatMap((rule) => apply(rule, header, policy))];
}

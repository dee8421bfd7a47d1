import type { Census } from './census.ts';
import { compose } from './clusters.ts';
import { isZero } from './digest.ts';
import { EXTENSION } from './extensions.ts';
import type { Finding } from './finding.ts';
import type { Header } from './header.ts';
import type { Layer } from './open.ts';

const CLUSTER = 65536;

const notCanonical = (field: string, value: string | number | bigint, message: string): Finding => {
  return { rule: 'canonical', verdict: 'warn', field, value: String(value), message };
};

type Check = readonly [broken: boolean, field: string, value: string | number | bigint, message: string];

/** What in a header is not a canonical data file's. */
export function canonicalHeader(h: Header): Finding[] {
  const strange = h.extensions.filter((extension) => extension.type !== EXTENSION.featureNames);
  const checks: readonly Check[] = [
    [h.version !== 3, 'version', h.version, 'is not 3'],
    [h.clusterBits !== 16, 'cluster_bits', h.clusterBits, 'are not 16'],
    [h.refcount.order !== 4, 'refcount_order', h.refcount.order, 'is not 4'],
    [h.incompatible !== 0n, 'incompatible_features', h.incompatible, 'are not 0'],
    [h.autoclear !== 0n, 'autoclear_features', h.autoclear, 'are not 0'],
    [h.compatible > 1n, 'compatible_features', h.compatible, 'other than bit 0 are set'],
    [h.backing !== null, 'backing file', h.backing?.text ?? '', 'is named'],
    [h.crypt !== 0, 'crypt_method', h.crypt, 'is not 0'],
    [h.snapshots.count !== 0, 'nb_snapshots', h.snapshots.count, 'is not 0'],
    [strange.length > 0, 'extensions', strange.length, 'other than feature names are there'],
  ];
  return checks.flatMap(([broken, field, value, what]) =>
    broken ? [notCanonical(field, value, `${field} ${what}`)] : [],
  );
}

/** What in a census is not a canonical data file's. */
export function stray(census: Census, beyond: number): Finding[] {
  const { compressedClusters: packed } = census;
  const findings: Finding[] = [];
  if (packed > 0) findings.push(notCanonical('clusters', packed, `${packed} clusters are compressed`));
  if (beyond > 0) findings.push(notCanonical('clusters', beyond, `${beyond} entries lie beyond the virtual size`));
  return findings;
}

/** Whether the bytes after the virtual size in the last cluster are zero. */
export async function canonicalTail(layer: Layer): Promise<Finding[]> {
  const { size } = layer.header;
  const held = size % CLUSTER;
  if (held === 0) return [];
  for await (const span of compose([layer], { at: size - held, length: held }, CLUSTER)) {
    if (span.kind !== 'data') continue;
    const at = span.host + span.length;
    const tail = await layer.source.read(at, CLUSTER - held);
    if (!isZero(tail)) return [{ ...notCanonical('data', held, 'bytes after the virtual size are not zero'), at }];
  }
  return [];
}

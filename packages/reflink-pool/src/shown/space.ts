import { formatSize } from '@platter/units/size';
import type { FragRecord, ProbeRecord, UsageRecord } from '../records/space.ts';
import { columns, counted, took } from './columns.ts';

export function usageText({ ref, apparent, allocated, referenced, reclaimable, overhead }: UsageRecord): string {
  const parts = [`${formatSize(allocated)} allocated`, `${formatSize(referenced)} referenced`];
  const beyond = overhead !== null && overhead > 0 && `${formatSize(overhead)} overhead`;
  return columns(ref, formatSize(apparent), ...parts, `${formatSize(reclaimable)} reclaimable`, beyond);
}

export function fragText({ ref, mappings, meanBytes, predictedMs, calibrated, advice }: FragRecord): string {
  const guess = predictedMs !== null && `clone ${took(predictedMs)}${calibrated ? '' : ' (uncalibrated)'}`;
  return columns(ref, counted(mappings, 'mapping'), `mean ${formatSize(meanBytes)}`, guess, advice);
}

export function flattenText({ volume, outcome, before = 0, mappings, ms = 0 }: FragRecord): string {
  if (outcome === 'already') return columns(volume, 'already flat', counted(mappings, 'mapping'));
  return columns(volume, outcome, `${counted(before, 'mapping')} before, ${mappings} now`, took(ms));
}

export function probeText(record: ProbeRecord): string {
  const { path, fsType, reflink, links, because, baseUs, usPerMapping, saved } = record;
  const yes = (is: boolean) => (is ? 'yes' : 'no');
  const cost = baseUs !== null && `clone ${took(baseUs / 1000)} + ${usPerMapping} us per mapping`;
  const shared = `reflink ${yes(reflink)}${because === null ? '' : ` (${because.split(': ').at(-1)})`}`;
  return columns(path, fsType, shared, `links ${yes(links)}`, cost && `${cost}${saved ? ' (saved)' : ''}`);
}

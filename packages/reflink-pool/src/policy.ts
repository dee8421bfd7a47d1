import { parseDuration } from '@platter/units/duration';
import { Invalid } from '@platter/units/invalid';
import { parseSize, sizeWord } from '@platter/units/size';

export const buckets = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type Bucket = (typeof buckets)[number];

/** What is kept: a minimum (a duration in ms), the newest images, one per period, and how much room there must be. */
export interface Policy {
  min: 'all' | 'none' | 'latest' | number;
  count: number;
  schedule: Partial<Record<Bucket, number>>;
  free: { bytes: number } | { percent: number } | null;
}

/** What created volumes keep, as Qubes does. */
export const createdPolicy = 'min=latest,count=1';
/** What a volume without a sidecar keeps: losing one can never cause a prune. */
export const unknownPolicy = 'min=all';

/** `min=all|none|latest|DUR, count=N, hourly=N, ... , free=SIZE|PCT%`; N may be `all`. Invalid otherwise. */
export function parsePolicy(text: string): Policy {
  const policy: Policy = { min: 'none', count: 0, schedule: {}, free: null };
  const seen = new Set<string>();
  for (const term of text.split(',').map((one) => one.trim())) {
    const [, key, value] = /^([a-z]+)=(.+)$/.exec(term) ?? [];
    if (key === undefined || value === undefined) throw wrong(text, `${JSON.stringify(term)} is not KEY=VALUE`);
    if (seen.has(key)) throw wrong(text, `${key} is given twice`);
    seen.add(key);
    set(policy, key, value);
  }
  return policy;
}

function set(policy: Policy, key: string, value: string): void {
  if (key === 'min') policy.min = minimum(value);
  else if (key === 'count') policy.count = amount(key, value);
  else if (key === 'free') policy.free = room(value);
  else if (buckets.includes(key as Bucket)) policy.schedule[key as Bucket] = amount(key, value);
  else throw wrong(key, `its keys are min, count, ${buckets.join(', ')} and free`);
}

const wrong = (text: string, why: string) => new Invalid(`"${text}" is not a policy: ${why}, as in min=2d,daily=14`);

const minimum = (value: string): Policy['min'] =>
  value === 'all' || value === 'none' || value === 'latest' ? value : parseDuration(value);

function amount(key: string, value: string): number {
  if (value === 'all') return Number.POSITIVE_INFINITY;
  if (/^(0|[1-9]\d{0,8})$/.test(value)) return Number(value);
  throw wrong(`${key}=${value}`, 'a number or all is needed');
}

function room(value: string): Policy['free'] {
  const [, percent] = /^([1-9]?\d|100)%$/.exec(value) ?? [];
  return percent === undefined ? { bytes: parseSize(value) } : { percent: Number(percent) };
}

const units = [
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

function duration(ms: number): string {
  const [unit, size] = units.find(([, size]) => ms > 0 && ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

const count = (n: number) => (n === Number.POSITIVE_INFINITY ? 'all' : String(n));

/** The policy as parsePolicy reads it back; what keeps nothing is left out. */
export function formatPolicy({ min, count: newest, schedule, free }: Policy): string {
  const periods = buckets.flatMap((bucket) => (schedule[bucket] ? [`${bucket}=${count(schedule[bucket])}`] : []));
  const space = free === null ? [] : [`free=${'bytes' in free ? sizeWord(free.bytes) : `${free.percent}%`}`];
  const counted = newest > 0 ? [`count=${count(newest)}`] : [];
  return [`min=${typeof min === 'number' ? duration(min) : min}`, ...counted, ...periods, ...space].join(',');
}

/** Whether nothing at all is to be kept (N7): then a commit does not name the state before. */
export const historyOff = ({ min, count, schedule }: Policy): boolean =>
  min === 'none' && count === 0 && buckets.every((bucket) => !schedule[bucket]);

import type { Bucket } from './policy.ts';

const hour = 3_600_000;
const day = 24 * hour;

/** Number of the period an instant (ms) lies in, in UTC; weeks are ISO weeks (1970-01-01 was a Thursday). */
const periods: Record<Bucket, (time: number) => number> = {
  hourly: (time) => Math.floor(time / hour),
  daily: (time) => Math.floor(time / day),
  weekly: (time) => Math.floor((Math.floor(time / day) + 3) / 7),
  monthly: (time) => new Date(time).getUTCFullYear() * 12 + new Date(time).getUTCMonth(),
  yearly: (time) => new Date(time).getUTCFullYear(),
};

/** The first of each period, out of items sorted by time. */
function firsts<T extends { time: number }>(items: readonly T[], bucket: Bucket): T[] {
  const seen = new Set<number>();
  return items.filter(({ time }) => {
    const period = periods[bucket](time);
    return !seen.has(period) && seen.add(period);
  });
}

/**
 * The item that stands for each period: the first of an hour, the first hourly one of a day, daily one of a week,
 * weekly one of a month, monthly one of a year (btrbk's rule). Newer items never change who stands for a period.
 */
export function representatives<T extends { time: number; number: number }>(items: readonly T[]) {
  const sorted = items.toSorted((a, b) => a.time - b.time || a.number - b.number);
  const hourly = firsts(sorted, 'hourly');
  const daily = firsts(hourly, 'daily');
  const weekly = firsts(daily, 'weekly');
  const monthly = firsts(weekly, 'monthly');
  const yearly = firsts(monthly, 'yearly');
  return Object.fromEntries(
    Object.entries({ hourly, daily, weekly, monthly, yearly }).map(([name, list]) => [name, new Set(list)]),
  ) as Record<Bucket, Set<T>>;
}

/** Whether an item's period is at most `limit` before now's; items from the future are. */
export function reached({ one, item, now }: { one: Bucket; item: { time: number }; now: number }, limit = 0): boolean {
  return limit > 0 && periods[one](now) - periods[one](item.time) <= limit;
}

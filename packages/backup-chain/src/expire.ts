/** A set as a policy sees it: what it is called, when it was taken, and whether all its members are whole. */
export interface Dated {
  id: string;
  capturedAt: string;
  isComplete: () => boolean;
}

export const periods = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type Period = (typeof periods)[number];

/** How many of the newest periods keep a set each, and the age in ms below which all are kept. */
export type Policy = Partial<Record<Period, number>> & { within?: number };

/** A pin on a set; `until` null holds for ever. */
export interface Pinned {
  set: string;
  name: string;
  until: string | null;
}

/** What a policy says of sets, newest first. */
export interface Expiry {
  kept: { id: string; reasons: string[] }[];
  expired: string[];
  /** Sets whose time has not come yet: a clock was wrong. */
  future: string[];
}

const day = 86_400_000;

/** `2026-W01`: weeks begin on Monday, and belong to the year that their Thursday lies in (ISO 8601). */
function weekOf(at: number): string {
  const sinceMonday = (new Date(at).getUTCDay() + 6) % 7;
  const thursday = new Date(at + (3 - sinceMonday) * day);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * day));
  return `${year}-W${String(week).padStart(2, '0')}`;
}

const upTo = (length: number) => (at: number) => new Date(at).toISOString().slice(0, length);

/** In which bucket a moment lies, in UTC; `last` has one for each set. */
const bucketOf: Record<Exclude<Period, 'last'>, (at: number) => string> = {
  hourly: upTo(13),
  daily: upTo(10),
  weekly: weekOf,
  monthly: upTo(7),
  yearly: upTo(4),
};

const timeOf = ({ capturedAt }: Dated): number => Date.parse(capturedAt);

/** The newest set of each of the newest buckets, and what that is called. */
function newestOf(sets: readonly Dated[], period: Period, count: number): [Dated, string][] {
  if (period === 'last') return sets.slice(0, count).map((set, n) => [set, `last ${n + 1}`]);
  const buckets = new Map<string, Dated>();
  for (const set of sets) {
    const bucket = bucketOf[period](timeOf(set));
    if (!buckets.has(bucket)) buckets.set(bucket, set);
  }
  return [...buckets].slice(0, count).map(([bucket, set]) => [set, `${period} ${bucket}`]);
}

function pinned(sets: readonly Dated[], pins: readonly Pinned[], now: number): [Dated, string][] {
  const held = pins.filter(({ until }) => until === null || Date.parse(until) > now);
  return held.flatMap(({ set, name }) =>
    sets.filter(({ id }) => id === set).map((one): [Dated, string] => [one, `pin ${name}`]),
  );
}

/** What sets are judged by; `now` in ms since the epoch. */
export interface Rules {
  policy: Policy;
  pins: readonly Pinned[];
  now: number;
}

/**
 * Which sets of one VM a policy keeps, each with every reason (spec 3.11). Sets come oldest first: of one moment the
 * later is the newer. The newest complete set is always kept.
 */
export function expire(sets: readonly Dated[], { policy, pins, now }: Rules): Expiry {
  const newest = sets
    .map((set, n) => ({ set, n }))
    .sort((a, b) => timeOf(b.set) - timeOf(a.set) || b.n - a.n)
    .map(({ set }) => set);
  const { within } = policy;
  const young = within === undefined ? [] : newest.filter((set) => now - timeOf(set) < within);
  const complete = newest.find(({ isComplete }) => isComplete());
  const reasons: [Dated, string][] = [
    ...periods.flatMap((period) => newestOf(newest, period, policy[period] ?? 0)),
    ...young.map((set): [Dated, string] => [set, 'within']),
    ...pinned(newest, pins, now),
    ...(complete === undefined ? [] : [[complete, 'newest complete'] satisfies [Dated, string]]),
  ];
  const judged = newest.map((set) => ({
    id: set.id,
    reasons: reasons.filter(([one]) => one === set).map(([, why]) => why),
  }));
  return {
    kept: judged.filter((one) => one.reasons.length > 0),
    expired: judged.filter((one) => one.reasons.length === 0).map(({ id }) => id),
    future: newest.filter((set) => timeOf(set) > now).map(({ id }) => id),
  };
}

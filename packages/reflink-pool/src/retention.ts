import { buckets, type Policy } from './policy.ts';
import { reached, representatives } from './schedule.ts';

/** One name of an image, as retention sees it. Times in ms since the epoch. */
export interface Item {
  number: number;
  /** Which image: equal for names of one image. */
  image: string;
  time: number;
  twin: boolean;
  side: boolean;
  label: string | null;
  pins: readonly string[];
  expiresAt: number | null;
  set: string | null;
  exported: boolean;
}

/** What becomes of a name, and why. */
export interface Verdict {
  item: Item;
  keep: boolean;
  reason: string;
  /** Kept by number or schedule alone, so that it may go where room is wanted. */
  spare: boolean;
}

const kept = (item: Item, reason: string): Verdict => ({ item, keep: true, reason, spare: false });
const spared = (item: Item, reason: string): Verdict => ({ item, keep: true, reason, spare: true });
const removed = (item: Item, reason: string): Verdict => ({ item, keep: false, reason, spare: false });

/** What neither age nor number can change: the head's names, pins, expiry, labels, sets and open exports. */
function settled(item: Item, now: number): Verdict | null {
  if (item.twin) return kept(item, 'head');
  if (item.pins.length > 0) return kept(item, `pinned by ${item.pins.join(', ')}`);
  if (item.expiresAt !== null && item.expiresAt <= now) return removed(item, 'expired');
  if (item.label !== null) return kept(item, `label ${item.label}`);
  if (item.set !== null) return kept(item, `set ${item.set}`);
  return item.exported ? kept(item, 'open export') : null;
}

/** A higher number, not expired, that names the same image. */
function duplicate(item: Item, items: readonly Item[], now: number): Verdict | null {
  const other = items.findLast(
    (one) => one.number > item.number && one.image === item.image && settled(one, now)?.reason !== 'expired',
  );
  return other === undefined ? null : removed(item, `duplicate of ${other.number}`);
}

function minimum(item: Item, { min }: Policy, { now, latest }: { now: number; latest: number | undefined }) {
  const young = typeof min === 'number' && now - item.time < min;
  return min === 'all' || young || (min === 'latest' && item.number === latest) ? kept(item, 'min') : null;
}

/** The place of an open item among the newest images of its line; side revisions count apart. */
function counted(item: Item, open: readonly Item[], count: number): Verdict | null {
  const line = open.filter(({ side }) => side === item.side).sort((a, b) => b.number - a.number);
  const place = line.indexOf(item) + 1;
  const of = count === Number.POSITIVE_INFINITY ? 'all' : count;
  return place <= count ? spared(item, `count ${place}/${of}`) : null;
}

function once(items: readonly Item[], policy: Policy, now: number): Verdict[] {
  const firm = new Map(items.map((item) => [item, settled(item, now) ?? duplicate(item, items, now)]));
  const open = items.filter((item) => firm.get(item) === null);
  const standing = items.filter((item) => firm.get(item)?.keep !== false);
  const heads = representatives(standing);
  const mains = items.filter(({ twin }) => !twin);
  const latest = (mains.findLast(({ side }) => !side) ?? mains.at(-1))?.number;
  return items.map((item) => {
    const known = firm.get(item) ?? minimum(item, policy, { now, latest }) ?? counted(item, open, policy.count);
    if (known !== null) return known;
    const bucket = buckets.find((one) => heads[one].has(item) && reached({ one, item, now }, policy.schedule[one]));
    return bucket === undefined ? removed(item, 'beyond policy') : spared(item, `${bucket} (${day(item.time)})`);
  });
}

const day = (time: number) => new Date(time).toISOString().slice(0, 10);

/**
 * What becomes of each name, in the order given (ascending numbers); `free=` is not looked at. Applied until nothing
 * more goes, so that a second run removes nothing: a name that goes can make another one the first of its period.
 */
export function plan(items: readonly Item[], policy: Policy, now: number): Verdict[] {
  const gone = new Map<Item, Verdict>();
  for (;;) {
    const verdicts = once(
      items.filter((item) => !gone.has(item)),
      policy,
      now,
    );
    const going = verdicts.filter(({ keep }) => !keep);
    for (const verdict of going) gone.set(verdict.item, verdict);
    if (going.length > 0) continue;
    const standing = new Map(verdicts.map((verdict) => [verdict.item, verdict]));
    return items.map((item) => gone.get(item) ?? standing.get(item) ?? kept(item, 'head'));
  }
}

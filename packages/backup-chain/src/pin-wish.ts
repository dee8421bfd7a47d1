import { Failure } from '@platter/host/failure';
import { parseDuration } from '@platter/units/duration';
import { formatInstant, parseInstant } from '@platter/units/instant';

/** A moment, said as it is or by how long it is until then; in ms. */
export type Until = { at: number } | { after: number };

/** `2026-11-20T18:00:00Z`, or `30d`. Invalid for anything else. */
export const parseUntil = (text: string): Until =>
  /^\d{4}-/.test(text) ? { at: parseInstant(text) } : { after: parseDuration(text) };

/** What was said about a pin. */
export interface PinFlags {
  name: string | undefined;
  remove: string | undefined;
  until: Until | undefined;
  reason: string | undefined;
}

/** A pin to put on a set, or the name of one to take off. */
export type PinWish = { name: string; reason: string | null; until: string | null } | { remove: string };

function endOf(until: Until | undefined, now: number): string | null {
  if (until === undefined) return null;
  const at = 'at' in until ? until.at : now + until.after;
  if (at <= now)
    throw new Failure('usage', `--until ${formatInstant(at)} is over`, { hint: 'an instant to come, or 30d' });
  return formatInstant(at);
}

/** What the flags mean together; 2 when they contradict each other. */
export function pinWish({ name, remove, until, reason }: PinFlags, now: number): PinWish {
  if ((name === undefined) === (remove === undefined))
    throw new Failure('usage', 'either --name NAME or --remove NAME');
  if (name !== undefined) return { name, reason: reason ?? null, until: endOf(until, now) };
  if (until !== undefined || reason !== undefined)
    throw new Failure('usage', '--remove takes neither --until nor --reason');
  return { remove: remove as string };
}

/** The names of the pins on a set once a wish has come true. */
export function pinsAfter(pins: readonly string[], wish: PinWish): string[] {
  const name = 'remove' in wish ? wish.remove : wish.name;
  const others = pins.filter((one) => one !== name);
  return 'remove' in wish ? others : [...others, name].sort();
}

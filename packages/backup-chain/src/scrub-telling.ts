import type { Call } from '@platter/command/call';
import { formatSize } from '@platter/units/size';
import { findingText } from './finding.ts';
import type { Scrubbed } from './scrub.ts';
import type { Damage } from './scrub-file.ts';
import { pointAddress } from './telling.ts';

/** The record of one piece of damage, and how people read it. */
function damageTold({ finding, guest }: Damage) {
  const { object, dependents } = finding;
  const record = { apiVersion: 'platter.dev/v1' as const, kind: 'Finding' as const, metadata: { name: object } };
  const place = guest === null ? [] : [`     in the guest at ${guest}`];
  const lost = dependents.length === 0 ? [] : [`     needed by ${dependents.join(', ')}`];
  return { record: { ...record, ...finding, guest }, text: [findingText(finding), ...place, ...lost] };
}

/** The record of one file that was read, and one line about it; null of one that was not. */
function scrubTold({ subject, check }: Scrubbed) {
  if (subject === null || check === null) return null;
  const { path, point } = subject;
  const name = pointAddress(point);
  const kind = { apiVersion: 'platter.dev/v1' as const, kind: 'Scrub' as const, metadata: { name } };
  return {
    record: { ...kind, file: path, bytes: point.data.size, ...check },
    text: `${check.ok ? 'ok ' : 'bad'}  ${name}  ${formatSize(point.data.size)}`,
    name,
  };
}

/** Tells of a file that was read: what is wrong with it, and that it was. */
export async function tellScrub({ emit, warn }: Pick<Call<unknown>, 'emit' | 'warn'>, one: Scrubbed): Promise<void> {
  for (const { record, text } of one.damage.map(damageTold)) await emit(record, { text });
  if (one.unread !== null) warn(one.unread.message);
  const told = scrubTold(one);
  if (told !== null) await emit(told.record, told);
}

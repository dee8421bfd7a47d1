import { checkLabel } from './name.ts';

/** A label or set name in which `@` stands for the moment it is given; Invalid with the rule otherwise. */
export function checkStamp(text: string): string {
  checkLabel(stamped(text, 0));
  return text;
}

/** The name with `yyyymmdd-hhmmss` of `now` (ms, as UTC) wherever `@` stands. */
export function stamped(text: string, now: number): string {
  const moment = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return text.replaceAll('@', moment);
}

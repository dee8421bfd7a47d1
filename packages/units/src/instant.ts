import { Invalid } from './invalid.ts';

const grammar = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** An RFC 3339 instant in UTC to milliseconds since the epoch; Invalid for another form or a day that is not. */
export function parseInstant(text: string): number {
  const at = grammar.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(text.slice(0, 19)))
    throw new Invalid(`"${text}" is not an instant: use RFC 3339 in UTC, as in 2026-11-20T18:00:00Z`);
  return at;
}

/** Milliseconds since the epoch as RFC 3339 UTC, in whole seconds (rounded down). */
export function formatInstant(at: number): string {
  return `${new Date(Math.floor(at / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

import { Failure } from '@platter/host/failure';
import type { Drift } from './plan.ts';
import type { Seen } from './report.ts';

/** What a run left to say of a group besides the group itself. */
export interface Result {
  drift: readonly Drift[];
  failure: Failure | null;
  /** What is still so at the end, so that nobody need look again. */
  seen: Partial<Seen>;
}

/** Several failures as one: what all that was asked for have in common, else partial. */
export function together(failures: readonly Failure[], asked: number): Failure | null {
  const [first, ...others] = failures;
  if (first === undefined || (others.length === 0 && asked <= 1)) return first ?? null;
  const alike = failures.length >= asked && others.every(({ kind }) => kind === first.kind);
  const details = Object.fromEntries(failures.map(({ message }, at) => [String(at + 1), message]));
  const hint = first.hint === undefined ? {} : { hint: first.hint };
  return new Failure(alike ? first.kind : 'partial', `${failures.length} of ${asked} failed`, { details, ...hint });
}

import { Failure, Interrupted } from '@platter/host/failure';
import type { Call } from './call.ts';
import { asFailure, explain } from './report.ts';

interface Several<T> {
  names: readonly T[];
  /** When all failed alike, end as that kind instead of partial. */
  alike?: boolean;
}

/**
 * Does the same for several names, all of which are tried. One name fails as itself; of several each failure is a
 * `Failure` record and the verb ends as partial (or, with `alike`, as what all of them have in common).
 */
export async function every<T>(
  call: Call<unknown>,
  { names, alike = false }: Several<T>,
  work: (name: T) => Promise<void>,
): Promise<void> {
  const failures: Failure[] = [];
  for (const name of names) {
    try {
      await work(name);
    } catch (error) {
      if (error instanceof Interrupted || names.length === 1) throw error;
      failures.push(await record(call, String(name), asFailure(error)));
    }
  }
  if (failures.length === 0) return;
  const kinds = new Set(failures.map(({ kind }) => kind));
  const common = alike && failures.length === names.length && kinds.size === 1 ? failures[0]?.kind : undefined;
  throw new Failure(common ?? 'partial', `${failures.length} of ${names.length} failed`);
}

async function record(call: Call<unknown>, name: string, failure: Failure): Promise<Failure> {
  const { kind, message, hint } = failure;
  const about = { metadata: { name }, failure: kind, message, ...(hint === undefined ? {} : { hint }) };
  await call.emit({ apiVersion: 'platter.dev/v1', kind: 'Failure', ...about }, {});
  call.warn(explain(name, failure));
  return failure;
}

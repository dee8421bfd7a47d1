import { exitCodes, Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';

/** A failure as people read it: what happened, the facts around it, and the way out. */
export function explain(tool: string, failure: Failure): string {
  const notes = Object.entries(failure.details).concat(failure.hint === undefined ? [] : [['try', failure.hint]]);
  const width = Math.max(3, ...notes.map(([name]) => name.length));
  const lines = notes.map(
    ([name, text]) => `  ${name.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 4)}`)}`,
  );
  return [`${tool}: ${failure.message}`, ...lines].join('\n');
}

/** Any error as a Failure: a rule that was broken is usage, what nobody foresaw is failed and keeps its stack. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof Invalid) return new Failure('usage', error.message, { cause: error });
  const { message = String(error), stack } = (error ?? {}) as Partial<Error>;
  return new Failure('failed', `unexpected: ${message}`, {
    cause: error,
    details: stack === undefined ? {} : { at: stack },
  });
}

export const exitCode = (failure: Failure): number => exitCodes[failure.kind];

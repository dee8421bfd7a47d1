/** Why a verb ended, each kind with one exit code; the table is design.md's "Command line". */
export const exitCodes = {
  failed: 1,
  usage: 2,
  refused: 3,
  busy: 4,
  corrupt: 5,
  unsupported: 6,
  partial: 7,
} as const;

export type FailureKind = keyof typeof exitCodes;

/** What surrounds a failure: `details` are printed line by line under the message, `hint` last, as `try`. */
export interface FailureNotes {
  details?: Record<string, string>;
  hint?: string;
  cause?: unknown;
}

/** The one error that is meant for people: what happened, why, and the way out. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly details: Record<string, string>;
  readonly hint: string | undefined;

  constructor(kind: FailureKind, message: string, notes: FailureNotes = {}) {
    super(message, { cause: notes.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.details = notes.details ?? {};
    this.hint = notes.hint;
  }
}

/** A signal ended the verb; the person's room re-raises it once everything is put back. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** The errno name (`ENOENT`) of a Node error, or of the one a Failure was made from; undefined for any other. */
export function errno(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined ? undefined : errno(cause);
}

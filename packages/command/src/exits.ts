import type { FailureKind } from '@platter/host/failure';

/** What a verb's exit code says, and what a Kubernetes Job should do about it. */
export interface Exit {
  kind: FailureKind | 'done';
  meaning: string;
  job: 'succeed' | 'retry' | 'fail';
}

/** Every exit code, by its number. */
export const exits: readonly Exit[] = [
  { kind: 'done', meaning: 'done, or already so', job: 'succeed' },
  { kind: 'failed', meaning: 'failed: unexpected; something may have changed', job: 'retry' },
  { kind: 'usage', meaning: 'usage: said wrong, or input invalid; nothing was looked at', job: 'fail' },
  { kind: 'refused', meaning: 'refused: the state conflicts with what was asked; nothing was changed', job: 'fail' },
  { kind: 'busy', meaning: 'busy: locked, in use, or not yet; try later', job: 'retry' },
  { kind: 'corrupt', meaning: 'corrupt: an integrity check failed', job: 'fail' },
  { kind: 'unsupported', meaning: 'unsupported: this host lacks a program or a feature', job: 'fail' },
  { kind: 'partial', meaning: 'partial: of several, some failed; the records say which', job: 'retry' },
];

import type { Change, Output, Program } from './door.ts';
import { Failure } from './failure.ts';
import { run } from './looks.ts';
import { lastLine, must } from './outcome.ts';
import { copyWords } from './shown.ts';

const unsupported = ['Operation not supported', 'Invalid cross-device link', 'Invalid argument'];

/**
 * Copies or clones by coreutils cp, which unlike a system call of ours can be cancelled. A filesystem that cannot share
 * extents is Failure unsupported; every other error is failed and never becomes a copy.
 */
export async function duplicate(
  change: Change & { op: 'copy' },
  execute: (program: Program) => Promise<Output>,
): Promise<void> {
  const { timeout, stall } = change;
  const limits = { ...(timeout === undefined ? {} : { timeout }), ...(stall === undefined ? {} : { stall }) };
  const program = run('cp', copyWords(change), { timeout: 600_000, ...limits });
  const output = await execute(program);
  if (change.reflink && output.code === 1 && unsupported.some((text) => output.stderr.includes(text)))
    throw new Failure('unsupported', `${change.from} cannot be cloned to ${change.to}`, {
      details: { because: lastLine(output) },
    });
  if (output.stderr.includes('No space left'))
    throw new Failure('failed', `could not copy ${change.from} to ${change.to}: no space left on device`, {
      hint: 'free some space, then run this again',
      cause: { code: 'ENOSPC' },
    });
  must(program, output);
}

import type { Copy, Output, Program } from './door.ts';
import { Failure } from './failure.ts';
import { run } from './looks.ts';
import { lastLine, must } from './outcome.ts';
import { packageOf } from './packages.ts';
import { copyWords } from './shown.ts';

const unsupported = ['Operation not supported', 'Invalid cross-device link', 'Invalid argument'];

/** A clone that long is given up; a copy only when it does not get on. */
const limitsOf = ({ reflink, timeout, stall }: Copy) => {
  if (timeout !== undefined) return { timeout };
  return reflink && stall === undefined ? { timeout: 600_000 } : { stall: stall ?? 60_000 };
};

/** cp over names, or over the descriptors of what is held, which stay what they are meanwhile. */
async function executed(
  change: Copy,
  execute: (program: Program) => Promise<Output>,
): Promise<{ program: Program; output: Output }> {
  const { held } = change;
  const limits = limitsOf(change);
  if (held === undefined) {
    const program = run('cp', copyWords(change), limits);
    return { program, output: await execute(program) };
  }
  const unpins = [held.from.pin(), held.to.pin()];
  try {
    const words = copyWords({ ...change, from: '/proc/self/fd/3', to: '/proc/self/fd/4' });
    const program = run('cp', words, { ...limits, inherit: [held.from.fd, held.to.fd] });
    return { program, output: await execute(program) };
  } finally {
    for (const unpin of unpins) unpin();
  }
}

/**
 * Copies or clones by coreutils cp, which unlike a system call of ours can be cancelled. A filesystem that cannot share
 * extents is Failure unsupported (with `because` in its details), and so is another cp; every other error is failed and
 * never becomes a copy, with ETIMEDOUT where cp did not end by itself.
 */
export async function duplicate(change: Copy, execute: (program: Program) => Promise<Output>): Promise<void> {
  const { from, to, reflink } = change;
  const { program, output } = await executed(change, execute);
  if (output.code !== 0 && /(unrecognized|unknown|illegal) option/.test(output.stderr))
    throw new Failure('unsupported', 'this cp knows neither --reflink nor --sparse', {
      hint: `apt-get install ${packageOf('cp')}`,
    });
  if (reflink && output.code === 1 && unsupported.some((text) => output.stderr.includes(text)))
    throw new Failure('unsupported', `${from} cannot be cloned to ${to}`, { details: { because: lastLine(output) } });
  if (output.stderr.includes('No space left'))
    throw new Failure('failed', `could not copy ${from} to ${to}: no space left on device`, {
      hint: 'free some space, then run this again',
      cause: { code: 'ENOSPC' },
    });
  if (output.code === null)
    throw new Failure('failed', `could not copy ${from} to ${to}: cp was killed, or not done in time`, {
      cause: { code: 'ETIMEDOUT' },
    });
  must(program, output);
}

import { because, type Host, type Output, type Program } from '@platter/host/door';
import { Failure, Interrupted } from '@platter/host/failure';
import { run, stat } from '@platter/host/looks';
import { lastLine } from '@platter/host/outcome';
import { Invalid } from '@platter/units/invalid';
import type { Pool } from './pool.ts';

/** A program that quiets and wakes the guests of volumes: `HOOK freeze VOL...`, `HOOK thaw VOL...`. */
export interface Hook {
  path: string;
  volumes: readonly string[];
}

const seconds = 15;
const tries = 3;

/** The absolute path of a hook; Invalid otherwise. */
export function checkHookPath(word: string): string {
  if (word.startsWith('/') && !word.split('/').includes('..')) return word;
  throw new Invalid(`"${word}" is not a hook: an absolute path without ".."`);
}

/** Refuses a hook that cannot be run, or that others than its owner could have written. */
export async function checkHook(host: Host, path: string): Promise<void> {
  const found = await host.query(stat(path));
  const refuse = (why: string, hint: string) => new Failure('refused', `will not run ${path}: ${why}`, { hint });
  if (found === null) throw refuse('it is not there', 'say where the hook is');
  const mode = `mode ${found.mode.toString(8).padStart(4, '0')}`;
  if (found.kind !== 'file' || (found.mode & 0o111) === 0)
    throw refuse(`it is no executable file (${mode})`, `chmod 0755 ${path}`);
  if ((found.mode & 0o022) !== 0) throw refuse(`others may write it (${mode})`, `chmod go-w ${path}`);
}

/** Under timeout(1), which ends all that the hook has started, so that nothing freezes after the thaw. */
const asking = ({ path, volumes }: Hook, what: 'freeze' | 'thaw'): Program =>
  run('timeout', ['-k', '1', String(seconds), path, what, ...volumes], { timeout: (seconds + 5) * 1000 });

/** Runs `work` between freeze and thaw. The thaw is tried whatever happened before, a signal included. */
export async function whileFrozen<T>(pool: Pool, hook: Hook, work: () => Promise<T>): Promise<T> {
  let refused = false;
  try {
    const program = asking(hook, 'freeze');
    const output = await pool.host.change(because(program, 'the guests write nothing until they are thawed'));
    refused = output.code !== null && output.code !== 0 && output.code < 124;
    if (output.code !== 0) throw notFrozen(hook, why(output));
    return await work();
  } finally {
    await thaw(pool, hook, refused);
  }
}

const notFrozen = ({ path, volumes }: Hook, said: string) =>
  new Failure('busy', `${path} could not freeze ${volumes.join(' ')}: nothing was changed`, {
    details: { said },
    hint: 'try again later, or see why it fails',
  });

const neverThawed = ({ path, volumes }: Hook) =>
  new Failure('failed', `${volumes.join(' ')} may still be frozen: ${path} thaw failed ${tries} times`, {
    hint: `${path} thaw ${volumes.join(' ')}`,
  });

/**
 * Thaws, trying again. A signal that came meanwhile is delivered when it is done. That it never succeeds is a failure,
 * unless the hook refused to freeze, and perhaps has nothing to thaw.
 */
async function thaw(pool: Pool, hook: Hook, refused: boolean): Promise<void> {
  let signal: Interrupted | undefined;
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    const failed = await once(pool, hook).catch((error: Error) => error);
    if (failed instanceof Interrupted) signal = failed;
    else if (failed !== null)
      pool.call.warn(`thawing ${hook.volumes.join(' ')} failed (${attempt} of ${tries}): ${failed.message}`);
    if (failed === null && signal !== undefined) throw signal;
    if (failed === null) return;
  }
  if (!refused) throw neverThawed(hook);
}

/** Null when the hook thawed, else why not. */
async function once(pool: Pool, hook: Hook): Promise<Error | null> {
  const output = await pool.host.change(asking(hook, 'thaw'));
  if (output.code === 0) return null;
  return new Error(why(output));
}

/** What the hook said last, or how it ended; 124 and 137 are timeout(1)'s. */
function why(output: Output): string {
  const { code } = output;
  if (code === null || code === 124 || code === 137) return `it did not end within ${seconds} s`;
  return lastLine(output) || `it ended with ${code}`;
}

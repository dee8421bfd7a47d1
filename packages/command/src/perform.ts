import { exitCodes, Interrupted } from '@platter/host/failure';
import type { About } from './main.ts';
import { callOf } from './person.ts';
import { catchSignals } from './signals.ts';
import { brokenPipe, Stdout } from './stdout.ts';
import type { Verb } from './verb.ts';
import { readWords } from './words.ts';

export interface Performance {
  about: About;
  name: string;
  verb: Verb;
  argv: readonly string[];
}

/** Joins the verb to signals and pipes, runs it, and turns how it ended into how we end. */
export async function perform({ about, name, verb, argv }: Performance): Promise<void> {
  const said = readWords(verb, argv, process.env);
  const abort = new AbortController();
  const signals = catchSignals(() => abort.abort());
  const stdout = new Stdout(() => {
    process.exitCode = brokenPipe;
    abort.abort();
  });
  try {
    const scene = { tool: about.name, verb: name, version: about.version, said, signal: abort.signal, stdout };
    await verb.run(await callOf(scene));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.exitCode ??= exitCodes.failed;
  } finally {
    signals.raise();
  }
}

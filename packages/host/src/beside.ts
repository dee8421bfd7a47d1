import type { Host, Output, Program } from './door.ts';
import { Failure } from './failure.ts';
import { lastLine } from './outcome.ts';

function died({ program }: Program, output: Output): Failure {
  const said = lastLine(output);
  return new Failure('failed', `${program} ended by itself`, said === '' ? {} : { details: { said } });
}

/**
 * Runs a program beside `work`, which is told by a rejection when it is `gone`, and ends it by SIGTERM when the work is
 * done. A signal to us, or the end of the program, ends the work; nothing of either runs on afterwards.
 */
export async function beside<T>(host: Host, program: Program, work: (gone: Promise<never>) => Promise<T>): Promise<T> {
  const end = new AbortController();
  const ended = host.change({ ...program, until: end.signal });
  const gone = ended.then((output): never => {
    throw died(program, output);
  });
  const working = work(gone);
  try {
    return await Promise.race([working, gone]);
  } finally {
    end.abort();
    await Promise.allSettled([working, gone]);
  }
}

import type { Output, Program } from './door.ts';
import { Failure } from './failure.ts';

/** The last line a program said on stderr, for a message; at most 240 characters. */
export function lastLine(output: Output): string {
  return output.stderr.trim().split('\n').at(-1)?.slice(0, 240) ?? '';
}

/** The output of a program that had to exit 0 (or one of `codes`), else Failure failed with its own last words. */
export function must(program: Program, output: Output, codes: readonly number[] = [0]): Output {
  if (output.code !== null && codes.includes(output.code)) return output;
  const how = output.code === null ? 'was killed or timed out: could not tell' : `failed with exit ${output.code}`;
  const said = lastLine(output);
  throw new Failure('failed', `${program.program} ${how}`, said === '' ? {} : { details: { said } });
}

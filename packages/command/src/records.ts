import { Failure } from '@platter/host/failure';
import type { Call } from './call.ts';

/** A line of stdin: a record, or a bare word. */
export type Line = { record: Record<string, unknown> } | { word: string };

/** Reads stdin as records and bare lines, empty lines left out; a line that begins like JSON must be JSON. */
export async function* readLines(call: Call<unknown>): AsyncGenerator<Line> {
  for await (const line of call.lines()) {
    const trimmed = line.trim();
    if (trimmed.startsWith('{')) yield { record: parse(trimmed) };
    else if (trimmed !== '') yield { word: trimmed };
  }
}

function parse(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (cause) {
    throw new Failure('usage', `a line of stdin is not JSON: ${line.slice(0, 80)}`, { cause });
  }
}

/** The words of a verb with `-` replaced by what stdin names; `pick` finds the name in a record, undefined skips it. */
export async function namesOf(
  call: Call<unknown>,
  pick: (record: Record<string, unknown>) => string | undefined,
): Promise<string[]> {
  const names: string[] = [];
  for (const word of call.words) {
    if (word !== '-') names.push(word);
    else
      for await (const line of readLines(call)) {
        const name = 'word' in line ? line.word : pick(line.record);
        if (name !== undefined) names.push(name);
      }
  }
  return names;
}

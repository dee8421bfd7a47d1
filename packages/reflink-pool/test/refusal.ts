import { expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, poolOf } from './pool-of.ts';

/** What is refused: in words, after which verbs, the line, its exit code and message, and what else happened to the disk. */
export type Refusal = [
  what: string,
  history: string[],
  line: string,
  code: number,
  message: RegExp,
  touch?: (disk: Disk) => void,
];

/** Each line must end with its code, and change nothing at all. */
export function refuses(rows: readonly Refusal[]): void {
  it.each(rows)('refuses %s', async (...row) => {
    const [, history, line, code, message, touch] = row;
    const disk = await poolOf(...history);
    touch?.(disk);
    const before = new Map(disk.names);
    const said = await changesOf(disk, line);
    expect([said.code, said.changes]).toEqual([code, []]);
    if (code !== 2) expect(said.failure?.message).toMatch(message);
    expect(new Map(disk.names)).toEqual(before);
  });
}

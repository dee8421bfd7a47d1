import type { Host } from '../door.ts';
import { Failure } from '../failure.ts';
import { run } from '../looks.ts';
import { lastLine } from '../outcome.ts';

/** What lies on a device or image, probed afresh and not from a cache: `TYPE`, `LABEL`, `UUID`, ... */
export type Signature = Readonly<Record<string, string>>;

/** `blkid -p -o export` as pairs; backslash escapes of the export format are undone. */
export function parseSignature(stdout: string): Signature {
  const pairs = stdout.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).replace(/\\(.)/g, '$1')] as const];
  });
  return Object.fromEntries(pairs);
}

/** A part of a device or image, in bytes. */
export interface Part {
  at: number;
  length: number;
}

const partWords = ({ at, length }: Part): string[] => ['-O', String(at), '-S', String(length)];

/**
 * The signature on a path or a part of it, or null when there is none (exit 2); ambiguous or unreadable content is a
 * Failure failed.
 */
export async function signature(host: Host, path: string, part?: Part): Promise<Signature | null> {
  const probe = run('blkid', ['-p', '-o', 'export', ...(part ? partWords(part) : []), '--', path]);
  const output = await host.query(probe);
  if (output.code === 0) return parseSignature(output.stdout);
  if (output.code === 2 && output.stderr.trim() === '') return null;
  throw new Failure('failed', `could not tell what is on ${path}`, { details: { said: lastLine(output) } });
}

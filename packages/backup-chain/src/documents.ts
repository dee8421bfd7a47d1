import type { Host } from '@platter/host/door';
import { lstat, text } from '@platter/host/looks';
import { MiB } from '@platter/units/size';
import type * as z from 'zod/mini';

/** What lies at a path that somebody else's JSON names, relative to a folder. */
export type Lying = { path: string; size: number } | { fault: 'outside' | 'missing' | 'strange' };

const longestName = 255;

/** Whether every part of a relative path leads further down. */
const leadsDown = (path: string): boolean =>
  path
    .split('/')
    .every((part) => !['', '.', '..'].includes(part) && !part.includes('\0') && Buffer.byteLength(part) <= longestName);

/** The regular file at a path below a folder, found part by part without following a link. */
export async function fileBelow(host: Host, folder: string, path: string): Promise<Lying> {
  if (!leadsDown(path)) return { fault: 'outside' };
  const parts = path.split('/');
  for (const n of parts.keys()) {
    const here = `${folder}/${parts.slice(0, n + 1).join('/')}`;
    const found = await host.query(lstat(here));
    if (found === null) return { fault: 'missing' };
    if (found.kind === 'link') return { fault: 'outside' };
    if (n < parts.length - 1) continue;
    return found.kind === 'file' ? { path: here, size: found.size } : { fault: 'strange' };
  }
  return { fault: 'missing' };
}

const largest = 64 * MiB;

/** A JSON document that is as its schema says; null when it is not, or has more than 64 MiB. */
export async function document<S extends z.ZodMiniType>(
  host: Host,
  { path, size }: { path: string; size: number },
  schema: S,
): Promise<z.infer<S> | null> {
  const content = size > largest ? null : await host.query(text(path));
  const read = schema.safeParse(content === null ? undefined : parsed(content));
  return read.success ? read.data : null;
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

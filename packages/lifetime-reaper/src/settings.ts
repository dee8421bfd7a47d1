import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { stat, text } from '@platter/host/looks';
import { parseDuration } from '@platter/units/duration';
import * as z from 'zod/mini';

const duration = z.pipe(
  z.union([z.string(), z.number()]),
  z.transform((word) => Math.ceil(parseDuration(String(word) || '0') / 1000)),
);

/** The `lifetime` mapping of a configuration file; durations become whole seconds. */
const schema = z.strictObject({
  maxRun: z.optional(duration),
  onExpiry: z.optional(z.enum(['stop', 'pause', 'teardown', 'command'])),
  maxLifetime: z.optional(duration),
  grace: z.optional(duration),
  notice: z.optional(z.array(duration)),
  idle: z.optional(
    z.strictObject({ after: duration, every: z.optional(duration), probes: z.optional(z.array(z.string())) }),
  ),
});
export type Settings = z.infer<typeof schema>;

const inDirectory = 'y-cluster-provision.yaml';

/** Reads only the top-level mapping `lifetime` of a file, or of y-cluster-provision.yaml in a directory; strictly. */
export async function readSettings(host: Host, path: string): Promise<Settings> {
  const facts = await host.query(stat(path));
  const file = facts?.kind === 'dir' ? join(path, inDirectory) : path;
  const content = await host.query(text(file));
  if (content === null) throw new Failure('refused', `${file} does not exist`);
  const { parse } = await import('yaml');
  try {
    return schema.parse((parse(content) as { lifetime?: unknown } | null)?.lifetime ?? {});
  } catch (cause) {
    throw new Failure('usage', `${file}: ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  const [issue] = (cause as { issues?: { path: PropertyKey[]; message: string; keys?: string[] }[] }).issues ?? [];
  if (issue === undefined) return (cause as Error).message;
  return `lifetime.${[...issue.path, ...(issue.keys ?? [])].join('.')}: ${issue.keys ? 'unknown key' : issue.message}`;
}

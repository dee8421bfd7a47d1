import type { Call } from '@platter/command/call';
import type { Manifest } from './staged.ts';

/** What stdout carries: text, json or name. */
export const outputOf = (call: Call<unknown>): unknown => (call as Call).flags.output;

/** Says what is staged, a line each. Only -o json prints records, so only it hashes and reads YAML. */
export async function tellManifests(call: Call<unknown>, manifests: readonly Manifest[]): Promise<void> {
  const describe = outputOf(call) === 'json' ? (await import('./described.ts')).described : () => ({});
  const width = Math.max(0, ...manifests.map(({ name }) => name.length));
  for (const manifest of manifests) {
    const { name, mode, path, content } = manifest;
    const record = { apiVersion: 'platter.dev/v1', kind: 'Manifest', name, mode, path, bytes: content.length } as const;
    const text = `${name.padEnd(width)}  ${mode}  ${path}  ${content.length} bytes`;
    await call.emit({ ...record, ...describe(manifest, call.warn) }, { text, name });
  }
}

import type { Call } from '@platter/command/call';
import type { Decision } from './decision.ts';
import { sha256 } from './hash.ts';
import type { ManifestChange } from './records.ts';

/** The record of a change at a path below the root; a removed manifest is described by what it was. */
export function changeOf(
  { name, action, mode, previous }: Decision,
  { path, content = previous?.content ?? new Uint8Array() }: { path: string; content?: Uint8Array | undefined },
): ManifestChange {
  return {
    apiVersion: 'platter.dev/v1',
    kind: 'ManifestChange',
    name,
    mode,
    action,
    changed: action !== 'unchanged',
    path,
    bytes: content.length,
    sha256: sha256(content),
    previousSha256: previous && sha256(previous.content),
  };
}

/** Says what was done, a line each. */
export async function tell(call: Call<unknown>, changes: readonly ManifestChange[]): Promise<void> {
  for (const change of changes) {
    const { name, action, mode, path, bytes } = change;
    await call.emit(change, { text: `${name}  ${action}  ${mode}  ${path}  ${bytes} bytes`, name });
  }
}

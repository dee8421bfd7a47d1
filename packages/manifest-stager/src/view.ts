import type { Call } from '@platter/command/call';
import { formatInstant } from '@platter/units/instant';
import type { Decision } from './decision.ts';
import { addonOf } from './manifest.ts';
import type { Identity } from './objects.ts';
import type { ManifestChange, ManifestRecord } from './records.ts';
import { type Manifest, sha256 } from './staged.ts';

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
    previousSha256: previous?.sha256 ?? null,
  };
}

/** Says what was done, a line each. */
export async function tell(call: Call<unknown>, changes: readonly ManifestChange[]): Promise<void> {
  for (const change of changes) {
    const { name, action, mode, path, bytes } = change;
    await call.emit(change, { text: `${name}  ${action}  ${mode}  ${path}  ${bytes} bytes`, name });
  }
}

/** The record of a staged manifest with the objects in it. */
export function recordOf(
  { name, mode, path, content, sha256, mtimeNs }: Manifest,
  objects: readonly Identity[],
): ManifestRecord {
  const modifiedAt = formatInstant(Number(mtimeNs / 1_000_000n));
  const identities = objects.map(({ apiVersion, kind, namespace, name: called }) => ({
    apiVersion,
    kind,
    namespace,
    name: called,
  }));
  const about = { name, mode, path, bytes: content.length, sha256, modifiedAt, addon: addonOf(path) };
  return { apiVersion: 'platter.dev/v1', kind: 'Manifest', ...about, objects: identities };
}

/** What stdout carries: text, json or name. */
export const outputOf = (call: Call<unknown>): unknown => (call as Call).flags.output;

/** Says what is staged, a line each; only records name the objects, so only they need YAML read. */
export async function tellManifests(call: Call<unknown>, manifests: readonly Manifest[]): Promise<void> {
  const read =
    outputOf(call) === 'json' ? (await import('./objects.ts')).readObjects : () => ({ items: [], findings: [] });
  const width = Math.max(0, ...manifests.map(({ name }) => name.length));
  for (const manifest of manifests) {
    const { items, findings } = read(manifest.content);
    for (const { line, column, rule, message } of findings)
      call.warn(`${manifest.path}:${line}:${column}: ${rule} ${message}`);
    const text = `${manifest.name.padEnd(width)}  ${manifest.mode}  ${manifest.path}  ${manifest.content.length} bytes`;
    await call.emit(recordOf(manifest, items), { text, name: manifest.name });
  }
}

import { Failure } from '@platter/host/failure';
import { type Mode, modes } from './manifest.ts';
import { called } from './place.ts';
import type { Both, Found, Manifest } from './staged.ts';

/** What is asked of a name. Content was judged for `mode`; `sha256` is of the content that is wanted. */
export type Wish = { name: string; ifSha?: string | undefined } & (
  | { verb: 'add'; mode: Mode; sha256: string }
  | { verb: 'replace'; mode: Mode; sha256: string }
  | { verb: 'remove' }
);

/** What to do in one mode, and with what was found there. */
export type Decision = { name: string; mode: Mode } & (
  | { action: 'added'; previous: null }
  | { action: 'replaced' | 'removed' | 'unchanged'; previous: Manifest }
);

const other = (mode: Mode): Mode => (mode === 'every-boot' ? 'first-boot' : 'every-boot');

/** Decides from freshly read facts; a state that conflicts with the wish throws Failure refused. */
export function decide(found: Both, wish: Wish): Decision[] {
  for (const mode of modes) checkPlain(found[mode], wish.name);
  const manifests = modes.flatMap((mode) => (found[mode] as Manifest | null) ?? []);
  if (wish.verb === 'add') return [add(found, wish)];
  if (wish.verb === 'replace') return [replace(manifests, wish)];
  if (manifests.length === 0) throw refused(`will not remove ${wish.name}: there is nothing to remove`, listHint);
  for (const manifest of manifests) checkSha(manifest, wish);
  return manifests.map((previous) => ({ action: 'removed', name: wish.name, mode: previous.mode, previous }));
}

const listHint = 'manifest-stager list';

const refused = (message: string, hint: string, details: Record<string, string> = {}) =>
  new Failure('refused', message, { hint, details });

function checkPlain(found: Found, name: string): void {
  if (found === null || 'content' in found) return;
  const why = `${found.path} is ${called(found.kind)}, not a plain file`;
  throw refused(`will not touch ${name}: ${why}`, 'look who put it there, and move it away');
}

/** The way from one mode to the other. */
const again = (name: string, mode: Mode) =>
  `manifest-stager rm ${name}, then manifest-stager add ${name}${mode === 'first-boot' ? ' --first-boot' : ''}`;

function add(found: Both, { name, mode, sha256 }: Wish & { verb: 'add' }): Decision {
  const elsewhere = found[other(mode)] as Manifest | null;
  if (elsewhere !== null)
    throw refused(`will not add ${name} as ${mode}: the name is staged as ${elsewhere.mode}`, again(name, mode), {
      by: elsewhere.path,
    });
  const previous = found[mode] as Manifest | null;
  if (previous === null) return { action: 'added', name, mode, previous };
  if (previous.sha256 === sha256) return { action: 'unchanged', name, mode, previous };
  const hashes = { staged: previous.sha256, given: sha256 };
  throw refused(`will not add ${name}: it is staged with other content`, `manifest-stager replace ${name}`, hashes);
}

function replace(manifests: readonly Manifest[], wish: Wish & { verb: 'replace' }): Decision {
  const [previous, second] = manifests;
  const { name, mode, sha256 } = wish;
  if (previous === undefined)
    throw refused(`will not replace ${name}: it is not staged`, `manifest-stager add ${name}`);
  if (second !== undefined) throw inBoth(name);
  if (mode !== previous.mode)
    throw refused(`will not replace ${name} as ${mode}: it is staged as ${previous.mode}`, again(name, mode), {
      by: previous.path,
    });
  if (previous.sha256 === sha256) return { action: 'unchanged', name, mode, previous };
  checkSha(previous, wish);
  return { action: 'replaced', name, mode, previous };
}

/** The one manifest that bears a name. */
export function choose(found: Both, name: string): Manifest {
  for (const mode of modes) checkPlain(found[mode], name);
  const [manifest, second] = modes.flatMap((mode) => (found[mode] as Manifest | null) ?? []);
  if (manifest === undefined) throw refused(`${name} is not staged`, listHint);
  if (second !== undefined) throw inBoth(name);
  return manifest;
}

/** Somebody else put the name into both folders: which one counts is not ours to say. */
const inBoth = (name: string): Failure =>
  refused(
    `${name} is staged in both modes: no one can tell which counts`,
    `manifest-stager rm ${name}, then add it again`,
  );

function checkSha({ sha256, path }: Manifest, { name, ifSha, verb }: Wish): void {
  if (ifSha === undefined || ifSha === sha256) return;
  const details = { staged: sha256, 'if-sha': ifSha, at: path };
  throw refused(
    `will not ${verb} ${name}: somebody changed it`,
    `look at it with manifest-stager show ${name}`,
    details,
  );
}

import { inBoth, listHint, manifestsOf, plain, refused } from './bearer.ts';
import { sha256 as hash } from './hash.ts';
import type { Mode } from './manifest.ts';
import type { Both, Manifest } from './staged.ts';

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
  const manifests = manifestsOf(found, wish.name);
  if (wish.verb === 'add') return [add(found, wish)];
  if (wish.verb === 'replace') return [replace(manifests, wish)];
  if (manifests.length === 0) throw refused(`will not remove ${wish.name}: there is nothing to remove`, listHint);
  for (const manifest of manifests) checkSha(manifest, wish);
  return manifests.map((previous) => ({ action: 'removed', name: wish.name, mode: previous.mode, previous }));
}

/** The way from one mode to the other. */
const again = (name: string, mode: Mode) =>
  `manifest-stager rm ${name}, then manifest-stager add ${name}${mode === 'first-boot' ? ' --first-boot' : ''}`;

function add(found: Both, { name, mode, sha256 }: Wish & { verb: 'add' }): Decision {
  const { [mode]: previous, [other(mode)]: elsewhere } = plain(found, name);
  if (elsewhere)
    throw refused(`will not add ${name} as ${mode}: the name is staged as ${elsewhere.mode}`, again(name, mode), {
      by: elsewhere.path,
    });
  if (previous === null) return { action: 'added', name, mode, previous };
  const now = hash(previous.content);
  if (now === sha256) return { action: 'unchanged', name, mode, previous };
  const hashes = { staged: now, given: sha256 };
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
  if (hash(previous.content) === sha256) return { action: 'unchanged', name, mode, previous };
  checkSha(previous, wish);
  return { action: 'replaced', name, mode, previous };
}

function checkSha({ content, path }: Manifest, { name, ifSha, verb }: Wish): void {
  if (ifSha === undefined || ifSha === hash(content)) return;
  const details = { staged: hash(content), 'if-sha': ifSha, at: path };
  throw refused(
    `will not ${verb} ${name}: somebody changed it`,
    `look at it with manifest-stager show ${name}`,
    details,
  );
}

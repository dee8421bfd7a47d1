import { Failure } from '@platter/host/failure';
import type { Mode } from './manifest.ts';
import { called } from './place.ts';
import type { Both, Manifest } from './staged.ts';

/** Shows what is there. */
export const listHint = 'manifest-stager list';

/** A state that conflicts with what is asked. */
export const refused = (message: string, hint: string, details: Record<string, string> = {}) =>
  new Failure('refused', message, { hint, details });

/** The manifests that bear a name; anything else that bears it is refused, and is never taken for an absence. */
export function plain(found: Both, name: string): Readonly<Record<Mode, Manifest | null>> {
  const manifest = (mode: Mode): Manifest | null => {
    const bearer = found[mode];
    if (bearer === null || 'content' in bearer) return bearer;
    const why = `${bearer.path} is ${called(bearer.kind)}, not a plain file`;
    throw refused(`will not touch ${name}: ${why}`, 'look who put it there, and move it away');
  };
  return { 'every-boot': manifest('every-boot'), 'first-boot': manifest('first-boot') };
}

/** The same as a list, without absences. */
export const manifestsOf = (found: Both, name: string): Manifest[] =>
  Object.values(plain(found, name)).filter((manifest) => manifest !== null);

/** The one manifest that bears a name. */
export function choose(found: Both, name: string): Manifest {
  const [manifest, second] = manifestsOf(found, name);
  if (manifest === undefined) throw refused(`${name} is not staged`, listHint);
  if (second !== undefined) throw inBoth(name);
  return manifest;
}

/** Somebody else put the name into both folders: which one counts is not ours to say. */
export const inBoth = (name: string): Failure =>
  refused(
    `${name} is staged in both modes: no one can tell which counts`,
    `manifest-stager rm ${name}, then add it again`,
  );

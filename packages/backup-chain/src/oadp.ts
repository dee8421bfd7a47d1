import * as z from 'zod/mini';
import { maxLinks } from './chain.ts';
import { typeOf } from './kubevirt-backup.ts';
import type { Point } from './manifest-kinds.ts';

const said = z.optional(z.nullable(z.string()));

/** `manifests/<backup>/index.json` (this and the shapes below: kubevirt-datamover, as OADP runs it). */
export const backupIndexShape = z.looseObject({
  backupName: z.string(),
  vms: z.optional(
    z.nullable(
      z.array(z.looseObject({ name: z.string(), namespace: z.string(), checkpointId: z.string(), manifestPath: said })),
    ),
  ),
});

const chainItem = z.union([z.string(), z.looseObject({ id: z.string() })]);

/** `manifests/<backup>/<vm>.json` or `<ns>-<vm>.json`: the name says nothing, the fields do. */
export const vmManifestShape = z.looseObject({
  namespace: z.string(),
  name: z.string(),
  checkpointChain: z.array(chainItem),
});

const listedFile = z.union([
  z.string(),
  z.looseObject({ filename: z.string(), size: z.optional(z.nullable(z.number())), objectPath: said }),
]);

/** `checkpoints/<ns>/<vm>/index.json`. */
export const vmIndexShape = z.looseObject({
  vmName: z.string(),
  namespace: z.string(),
  checkpoints: z.array(
    z.looseObject({
      ...{ id: z.string(), type: z.string(), parent: said, timestamp: said, vmBackup: z.string() },
      ...{ files: z.array(listedFile), vmbObjectPath: said, vmbtObjectPath: said },
    }),
  ),
});

/** One checkpoint as an index lists it. */
export type Listed = z.infer<typeof vmIndexShape>['checkpoints'][number];

/** The ids in a chain, whose items are ids or objects. */
export const chainIds = ({ checkpointChain }: z.infer<typeof vmManifestShape>): string[] =>
  checkpointChain.map((item) => (typeof item === 'string' ? item : item.id));

/** A file of a checkpoint, whether it is listed by its name or as an object. */
export const listedFiles = ({ files }: Listed): { name: string; size: number | null; objectPath: string | null }[] =>
  files.map((file) =>
    typeof file === 'string'
      ? { name: file, size: null, objectPath: null }
      : { name: file.filename, size: file.size ?? null, objectPath: file.objectPath || null },
  );

/** The disk of a file: what follows the name of its backup. The field `diskName` collides, so nothing looks at it. */
export const diskIn = (name: string, { vmBackup }: Listed): string | null =>
  vmBackup !== '' && name.startsWith(`${vmBackup}-`) && name.endsWith('.qcow2')
    ? name.slice(vmBackup.length + 1, -'.qcow2'.length)
    : null;

/** The type of a checkpoint; null for a word that is none. */
export const typeIn = ({ type }: Listed): Point['type'] | null => typeOf(type);

/** Checkpoints by their ids. */
export type Index = ReadonlyMap<string, Listed>;

/** What a checkpoint rests on, oldest first, or what is wrong with that. */
export function walk(index: Index, id: string): { ids: string[]; fault: string | null } {
  const ids = new Set<string>();
  const ended = (fault: string | null) => ({ ids: [...ids].reverse(), fault });
  for (let next = id; ids.size < maxLinks; ) {
    const here = index.get(next);
    if (here === undefined) return ended(`${next} is missing`);
    if (ids.has(next)) return ended(`${next} is its own ancestor`);
    ids.add(next);
    if (typeIn(here) === 'full') return ended(null);
    if (!here.parent) return ended(`${next} is no full and names no parent`);
    next = here.parent;
  }
  return ended(`it rests on more than ${maxLinks} others`);
}

/** Checkpoints chain by chain, each from its full on; chains by the time of their full, else as they are listed. */
export function inOrder(index: Index): Listed[] {
  const keyed = [...index.values()].map((one) => ({ one, ids: walk(index, one.id).ids }));
  const places = new Map([...index.keys()].map((id, n) => [id, n]));
  const began = (id = '') => Date.parse(index.get(id)?.timestamp ?? '') || 0;
  const listed = (id = '') => places.get(id) ?? 0;
  const sorted = keyed.sort(
    ({ ids: a }, { ids: b }) => began(a[0]) - began(b[0]) || listed(a[0]) - listed(b[0]) || a.length - b.length,
  );
  return sorted.map(({ one }) => one);
}

/** Checkpoints that several others rest on: only one chain can be kept. */
export function forks(index: Index): string[] {
  const children = [...index.values()].filter((one) => typeIn(one) === 'incremental' && one.parent);
  const parents = children.map(({ parent }) => parent as string).sort();
  return [...new Set(parents.filter((id, n) => id === parents[n - 1]))];
}

import type { Ground, Lying } from './ground.ts';
import { exists, factOf, type Image, isOutdated, isSide, isTwin, stateOf, type World } from './model.ts';

/** What can be seen of a pool: files by name, and what `list` says. Images are counted in the order they are met. */
export interface Picture {
  files: Record<string, { image: number; bytes: string }>;
  /** What open exports keep: the bytes, and which image while some volume names it. */
  exports: string[];
  volumes: Record<string, Record<string, unknown>>;
  names: Record<string, Record<string, unknown>>;
}

/** Numbers for things, in the order they are met: two pictures agree when the same names mean the same thing. */
function counted(): (thing: string | number) => number {
  const seen = new Map<string | number, number>();
  return (thing) => seen.get(thing) ?? seen.set(thing, seen.size).size - 1;
}

const sorted = <T>(entries: [string, T][]) => Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));

/** What exports keep: images that volumes name too by their numbers, others only by their bytes. */
function keeping<T extends string | number>(
  kept: readonly (readonly [T, string])[],
  named: ReadonlySet<T>,
  count: (thing: T) => number,
): string[] {
  return kept.map(([image, bytes]) => `${named.has(image) ? count(image) : 'only'} ${bytes}`).sort();
}

/** What the model says can be seen. */
export function expected(world: World): Picture {
  const files: [string, Image][] = [];
  const [volumes, names]: [string, Record<string, unknown>][][] = [[], []];
  for (const [name, v] of Object.entries(world.volumes)) {
    const roles = { '.img': v.head, '-dirty.img': v.work, '-precache.img': v.prepared };
    for (const [end, image] of Object.entries(roles)) if (image !== null) files.push([name + end, image]);
    for (const { number, image } of v.names) files.push([`${name}.img.${number}`, image]);
    if (!exists(v) || v.removing) continue;
    const { kind: volumeKind, rw, source, size } = v;
    const bytes = (v.work ?? v.head)?.bytes.length;
    const facts = { volumeKind, rw, source, state: stateOf(world, v), outdated: isOutdated(world, v) };
    volumes?.push([
      name,
      { ...facts, size: bytes ?? (volumeKind === 'volatile' ? size : null), revisions: v.names.length },
    ]);
    for (const one of v.names) {
      const facts = {
        twin: isTwin(v, one),
        side: isSide(v, one),
        label: factOf(v, one)?.label ?? null,
        pins: factOf(v, one)?.pins ?? [],
      };
      names?.push([`${name}@${one.number}`, { ...facts, size: one.image.bytes.length }]);
    }
  }
  const count = counted();
  const lying = sorted(files.map(([name, image]) => [name, image]));
  const told = Object.entries(lying).map(([name, { id, bytes }]) => [name, { image: count(id), bytes }]);
  const kept = world.exports.map(({ image: { id, bytes } }) => [id, bytes] as const);
  const exports = keeping(kept, new Set(files.map(([, { id }]) => id)), count);
  return { files: Object.fromEntries(told), exports, volumes: sorted(volumes ?? []), names: sorted(names ?? []) };
}

const isExport = ({ path }: Lying) => path.startsWith('.platter/');
const temporary = /~[a-z0-9_]{8}$/;
const some = (record: Record<string, unknown>, ...fields: string[]) =>
  Object.fromEntries(
    fields.map((field) => [
      field,
      field === 'size' && record.size !== null ? Number(record.size) / 4096 : record[field],
    ]),
  );

/** What is there, and what the tool says is there. */
export async function observed(ground: Ground, files: readonly Lying[]): Promise<Picture> {
  const [volumes, names] = [await ground.say('list'), await ground.say('list --revisions')];
  const count = counted();
  const [hidden, visible] = [files.filter(isExport), files.filter((file) => !isExport(file))];
  const plain = visible
    .filter(({ path }) => !temporary.test(path))
    .map((file) => ({ ...file, path: file.path.replace(/@[^/]*Z$/, '') }));
  const lying = sorted(plain.map((file) => [file.path, file]));
  const told = Object.entries(lying).map(([name, { inode, text: bytes }]) => [name, { image: count(inode), bytes }]);
  const named = new Set(visible.map(({ inode }) => inode));
  return {
    files: Object.fromEntries(told),
    exports: keeping(
      hidden.map(({ inode, text }) => [inode, text] as const),
      named,
      count,
    ),
    volumes: sorted(
      (volumes?.records ?? []).map((one) => [
        String(one.volume),
        some(one, 'volumeKind', 'rw', 'source', 'state', 'outdated', 'size', 'revisions'),
      ]),
    ),
    names: sorted(
      (names?.records ?? []).map((one) => [String(one.ref), some(one, 'twin', 'side', 'label', 'pins', 'size')]),
    ),
  };
}

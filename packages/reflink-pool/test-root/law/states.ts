import {
  copyOf,
  exists,
  type Fact,
  factOf,
  fresh,
  type Image,
  isHeld,
  isTwin,
  latest,
  lost,
  type Name,
  no,
  type Policy,
  runs,
  type Steps,
  type Volume,
  volumeOf,
  type World,
  yes,
} from './model.ts';
import { dropNames, going, nextNumber, prune, put, replaceHead, savedNumber, saveHead, set, usual } from './steps.ts';

export interface RevertWish {
  target: number | string;
  discard: boolean;
}

export function* revert(world: World, name: string, { target, discard }: RevertWish): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || v.kind !== 'saved') return no(3);
  const found = named(v, target);
  if (found === undefined) return no(3);
  if (isHeld(world, v)) return no(4);
  if (v.work !== null && !discard) return no(3);
  if (v.work !== null) yield* set(v, 'work', null);
  if (isTwin(v, found)) return yes('already', null);
  const savedAs = yield* saveHead(v);
  yield* replaceHead(v, null, found.image);
  return yes('reverted', savedAs);
}

export const named = (v: Volume, target: number | string): Name | undefined =>
  target === 'latest' ? latest(v) : v.names.find((name) => name.number === target || factOf(v, name)?.label === target);

const isPinned = (v: Volume, one: Name) => (factOf(v, one)?.pins.length ?? 0) > 0;

export function* removeName(world: World, name: string, number: number): Steps {
  const v = volumeOf(world, name);
  if (!exists(v)) return yes('already');
  const found = named(v, number);
  if (found === undefined || isPinned(v, found)) return no(3);
  yield* dropNames(v, [found]);
  return yes('removed');
}

export function* remove(world: World, name: string): Steps {
  const v = volumeOf(world, name);
  const was = exists(v);
  if (isHeld(world, v)) return no(4);
  if (was && Object.values(world.volumes).some(({ stored, source }) => stored && source === name)) return no(3);
  if (was && v.names.some((one) => isPinned(v, one))) return no(3);
  if (was) yield* put(v, { removing: true });
  yield* removed(world, name);
  return yes(was ? 'removed' : 'already');
}

/** A removal that began goes on with the next verb that may touch the volume. */
export function* removed(world: World, name: string): Steps<void> {
  const v = volumeOf(world, name);
  for (const role of ['prepared', 'work'] as const) if (v[role] !== null) yield* set(v, role, null);
  while (v.names.length > 0) yield void v.names.shift();
  yield* set(v, 'head', null);
  yield* set(v, 'session', null);
  world.volumes[name] = structuredClone(lost);
}

export interface ImportWish {
  image: Image;
  create: boolean;
  /** Whether the tool can tell that the head holds the same bytes. */
  sees: boolean;
}

export function* bringIn(world: World, name: string, { image, create: may, sees }: ImportWish): Steps {
  const v = volumeOf(world, name);
  const was = exists(v);
  if ((!was && !may) || (was && v.kind !== 'saved')) return no(3);
  if (v.work !== null) return no(isHeld(world, v) ? 4 : 3);
  if (sees && v.head?.bytes === image.bytes) {
    yield* prune(world, name);
    return yes('unchanged', null);
  }
  yield* put(v, was ? {} : { policy: null });
  const { min, count } = v.policy ?? usual;
  const savedAs = min === 'none' && count === 0 ? null : yield* saveHead(v);
  const first = v.head === null;
  yield* replaceHead(v, null, image);
  if (!first) yield* prune(world, name);
  return yes('imported', savedAs);
}

/** A name for the head that says something: the one it has, else a new one. */
function* headName(v: Volume): Steps<Name> {
  const number = yield* saveHead(v);
  return v.names.find((one) => one.number === number) as Name;
}

/** What is noted about a name, in place of what was. */
function* mark(v: Volume, { number, image: { time } }: Name, fact: Partial<Fact>): Steps<void> {
  const was = v.facts.find((one) => one.number === number && one.time === time);
  const others = v.facts.filter((one) => one !== was);
  yield* put(v, {});
  yield* set(v, 'facts', [...others, { side: false, label: null, pins: [], ...was, number, time, ...fact }]);
}

const isTaken = (v: Volume, label: string, own?: Name) =>
  v.names.some((one) => one !== own && factOf(v, one)?.label === label);

export interface MarkWish {
  target: number | string;
  /** Null takes the label away. */
  label?: string | null;
  pin?: boolean;
}

/** `label` and `pin`: on the head SAVE-HEAD first, then one PUT; the same again is nothing. */
export function* note(world: World, name: string, { target, label, pin }: MarkWish): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || v.kind !== 'saved') return no(3);
  if (target === 'head' && v.head === null) return no(3);
  const found = named(v, target === 'head' ? (savedNumber(v) ?? -1) : target);
  if (found === undefined && target !== 'head') return no(3);
  if (typeof label === 'string' && isTaken(v, label, found)) return no(3);
  const was = { label: null, pins: [], ...(found === undefined ? {} : factOf(v, found)) };
  const will = {
    label: label === undefined ? was.label : label,
    pins: pin === undefined ? was.pins : pin ? ['user'] : [],
  };
  if (was.label === will.label && was.pins.length === will.pins.length) return { code: 0 };
  yield* mark(v, found ?? (yield* headName(v)), will);
  return { code: 0 };
}

/** A name for what the volume holds now: of a stopped one the head's, else one of a copy that was never the head. */
export function* snapshot(world: World, name: string, label: string | null): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || v.kind !== 'saved' || (v.head === null && v.work === null)) return no(3);
  const own = v.names.find(({ number }) => number === savedNumber(v));
  if (label !== null && isTaken(v, label, v.work === null ? own : undefined)) return no(3);
  if (v.work !== null) return yield* live(world, v, label);
  const before = own === undefined ? null : (factOf(v, own)?.label ?? null);
  const carries = own !== undefined && (label === null || before === null || before === label);
  const twin = carries ? own : own === undefined ? yield* headName(v) : yield* furtherName(v, v.head as Image);
  if (label !== null && before !== label) yield* mark(v, twin, { label });
  return yes(carries && (label === null || before === label) ? 'already' : 'created');
}

function* furtherName(v: Volume, image: Image): Steps<Name> {
  const name = { number: nextNumber(v), image };
  v.names.push(name);
  yield;
  return name;
}

function* live(world: World, v: Volume, label: string | null): Steps {
  const image = copyOf(world, v.work as Image);
  yield* saveHead(v);
  yield* mark(v, { number: nextNumber(v), image }, { side: true, label });
  yield* furtherName(v, image);
  return yes('created');
}

export function* clone(world: World, name: string, { to, target }: { to: string; target: number | string }): Steps {
  const [v, made] = [volumeOf(world, name), volumeOf(world, to)];
  if (made.removing) yield* removed(world, to);
  if (exists(made) || made.prepared !== null || !exists(v) || v.kind !== 'saved') return no(3);
  const image = target === 'head' ? v.head : (named(v, target)?.image ?? null);
  if (image === null) return no(3);
  const unclean = v.unclean.filter(({ id }) => id === image.id);
  yield* put(volumeOf(world, to), { ...structuredClone(lost), policy: null, unclean });
  volumeOf(world, to).head = image;
  return { code: 0 };
}

export function* keep(world: World, name: string, target: number | string): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || v.kind !== 'saved') return no(3);
  const found = target === 'head' ? undefined : named(v, target);
  const image = target === 'head' ? v.head : (found?.image ?? null);
  if (image === null) return no(3);
  yield;
  world.exports.push({ volume: name, image, number: found?.number ?? savedNumber(v) });
  return yes('open');
}

export function* pruneNow(world: World, name: string, policy: Policy | null): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || v.kind !== 'saved') return no(3);
  if (v.head !== null) yield* dropNames(v, going(world, name, policy ?? v.policy ?? usual));
  return { code: 0 };
}

/** The image with so many blocks. */
const sized = (world: World, { bytes }: Image, size: number): Image =>
  fresh(world, bytes.padEnd(size, '.').slice(0, size));

export function* resize(world: World, name: string, { size, shrink }: { size: number; shrink: boolean }): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || !v.rw) return no(3);
  const done = { code: 0, savedAs: null };
  if (v.work !== null && (v.kind === 'saved' || runs(world, v) || isHeld(world, v))) {
    if (size < v.work.bytes.length) return no(3);
    if (size > v.work.bytes.length) v.work = { ...sized(world, v.work, size), id: v.work.id };
    return done;
  }
  if (v.kind === 'volatile') {
    if (v.size !== size) yield* put(v, { size });
    return done;
  }
  if (v.head === null || v.kind === 'snapshot') return no(3);
  const from = v.head.bytes.length;
  if (size === from) return done;
  if (size < from && !shrink) return no(3);
  const image = sized(world, v.head, size);
  const { min, count } = v.policy ?? usual;
  const savedAs = size < from || min !== 'none' || count > 0 ? yield* saveHead(v) : null;
  yield* replaceHead(v, null, image);
  return { code: 0, savedAs };
}

/**
 * A pool, said as simply as the specification says it: names lead to images, verbs are lists of single steps, and a
 * process may die after any of them. Nothing here knows how the tool does it.
 */
export interface Image {
  /** Equal for two names of one image; a copy is another image. */
  id: number;
  /** When it was last written; a copy keeps it. */
  time: number;
  /** One character for each block of 4 KiB. */
  bytes: string;
}
export interface Name {
  number: number;
  image: Image;
}
/** Facts about a name: they count while the name leads to an image of this time. */
interface Fact {
  number: number;
  time: number;
  side: boolean;
  label: string | null;
}
export interface Policy {
  min: 'all' | 'latest' | 'none';
  count: number;
}
export interface Volume {
  kind: 'saved' | 'snapshot' | 'volatile';
  rw: boolean;
  source: string | null;
  /** Null is the pool's. */
  policy: Policy | null;
  /** Blocks of a volatile volume. */
  size: number;
  stored: boolean;
  removing: boolean;
  counter: number;
  facts: Fact[];
  /** Images that were committed from a working copy that outlived its boot. */
  unclean: Pick<Image, 'id' | 'time'>[];
  session: { id: number; boot: number; unclean: boolean } | null;
  head: Image | null;
  work: Image | null;
  prepared: Image | null;
  importing: Image | null;
  token: boolean;
  names: Name[];
}
export interface World {
  volumes: Record<string, Volume>;
  boot: number;
  ids: number;
  clock: number;
  /** The volume whose working copy somebody has open for writing. */
  held: string | null;
}

export const lost: Volume = {
  ...{ kind: 'saved', rw: true, source: null, policy: { min: 'all', count: 0 }, size: 0, stored: false },
  ...{ removing: false, counter: 0, facts: [], unclean: [], session: null, token: false },
  ...{ head: null, work: null, prepared: null, importing: null, names: [] },
};

export const volumeOf = ({ volumes }: World, name: string): Volume => {
  volumes[name] ??= structuredClone(lost);
  return volumes[name];
};

const open = ({ token, importing }: Volume) => token && importing !== null;
export const exists = (v: Volume): boolean =>
  v.head !== null || v.work !== null || v.names.length > 0 || (v.stored && (v.kind !== 'saved' || open(v)));

export const factOf = ({ facts }: Volume, { number, image }: Name): Fact | undefined =>
  facts.find((fact) => fact.number === number && fact.time === image.time);
export const isSide = (v: Volume, name: Name): boolean => factOf(v, name)?.side === true;
export const isTwin = ({ head }: Volume, { image }: Name): boolean => head?.id === image.id;

/** `latest`: the newest former state that was a head, else the newest former state. */
export function latest(v: Volume, names = v.names): Name | undefined {
  const former = names.filter((name) => !isTwin(v, name));
  return former.findLast((name) => !isSide(v, name)) ?? former.at(-1);
}

/** Where the working copy comes from, while the session is of it. */
const sessionOf = ({ session, work }: Volume) => (session !== null && session.id === work?.id ? session : null);
const runs = (world: World, v: Volume) => v.work !== null && sessionOf(v)?.boot === world.boot;
const isHeld = ({ held, volumes }: World, v: Volume) => held !== null && volumes[held] === v && v.work !== null;

export function stateOf(world: World, v: Volume): string {
  if (runs(world, v) || isHeld(world, v)) return 'running';
  if (v.work !== null) return v.kind === 'saved' && v.head === null ? 'headless' : 'unclean';
  if (v.kind === 'snapshot') return !v.rw && v.head !== null ? 'running' : 'stopped';
  return v.kind === 'saved' && v.head === null && v.names.length > 0 ? 'broken' : 'stopped';
}

export const isOutdated = (world: World, v: Volume): boolean | null => {
  const source = v.source === null ? null : (world.volumes[v.source]?.head ?? null);
  return v.head === null || source === null ? null : v.head.id !== source.id;
};

/** How a verb ends. */
export interface Told {
  code: number;
  outcome?: string;
  savedAs?: number | null;
}
export type Steps<T = Told> = Generator<void, T, void>;
const no = (code: number): Told => ({ code });
const yes = (outcome: string, savedAs?: number | null): Told =>
  savedAs === undefined ? { code: 0, outcome } : { code: 0, outcome, savedAs };

export function fresh(world: World, bytes: string): Image {
  world.ids += 1;
  world.clock += 1;
  return { id: world.ids, time: world.clock, bytes };
}
const copyOf = (world: World, image: Image): Image => ({ ...image, id: ++world.ids });

/** One step in which one thing changes. */
function* set<K extends keyof Volume>(v: Volume, key: K, value: Volume[K]): Steps<void> {
  v[key] = value;
  yield;
}

/** The sidecar is replaced as a whole; what it says about names and images that are gone is dropped. */
function* put(v: Volume, change: Partial<Volume>): Steps<void> {
  v.facts = v.facts.filter((fact) => v.names.some((name) => factOf(v, name) === fact));
  const there = [v.head, v.work, ...v.names.map(({ image }) => image)].map((image) => image?.id);
  v.unclean = v.unclean.filter(({ id }) => there.includes(id));
  Object.assign(v, { stored: true }, change);
  yield;
}

const nextNumber = (v: Volume) => 1 + Math.max(v.counter, ...v.names.map(({ number }) => number), 0);

/** The number of the head: its highest name that was never aside, when only asides are above. */
function savedNumber(v: Volume): number | null {
  const main = v.names.filter((name) => !isSide(v, name)).at(-1);
  return main !== undefined && isTwin(v, main) ? main.number : null;
}

function* saveHead(v: Volume): Steps<number | null> {
  const saved = savedNumber(v);
  if (v.head === null || saved !== null) return saved;
  const number = nextNumber(v);
  v.names.push({ number, image: v.head });
  yield;
  return number;
}

function* replaceHead(v: Volume, from: 'work' | 'importing' | null, image: Image): Steps<void> {
  if (v.prepared !== null) {
    v.prepared = null;
    yield;
  }
  v.head = image;
  if (from !== null) v[from] = null;
  yield;
}

const usual: Policy = { min: 'latest', count: 1 };

/** Names that the policy lets go (rules 1 to 7 of prune), looked at again until nothing more goes. */
function going(v: Volume): Name[] {
  const { min, count } = v.policy ?? usual;
  let left = v.names;
  for (;;) {
    const firm = (name: Name) => isTwin(v, name) || (factOf(v, name)?.label ?? null) !== null;
    const twice = (name: Name) => left.some((one) => one.number > name.number && one.image.id === name.image.id);
    const free = left.filter((name) => !firm(name) && !twice(name));
    const line = (side: boolean) =>
      free.filter((name) => isSide(v, name) === side).slice(count === 0 ? free.length : -count);
    const kept = new Set([...line(true), ...line(false), ...(min === 'all' ? free : []), ...left.filter(firm)]);
    const newest = latest(v, left);
    if (min === 'latest' && newest !== undefined && !twice(newest)) kept.add(newest);
    const next = left.filter((name) => kept.has(name));
    if (next.length === left.length) return v.names.filter((name) => !left.includes(name));
    left = next;
  }
}

function* dropNames(v: Volume, names: readonly Name[]): Steps<void> {
  const top = v.names.at(-1)?.number ?? 0;
  if (names.some(({ number }) => number === top) && v.counter < top) yield* put(v, { counter: top });
  for (const { number } of names) {
    v.names = v.names.filter((name) => name.number !== number);
    yield;
  }
}

const isUncleanHead = ({ unclean, head }: Volume) =>
  unclean.some(({ id, time }) => id === head?.id && time === head.time);

function* prune(v: Volume): Steps<void> {
  if (v.kind === 'saved' && !isUncleanHead(v)) yield* dropNames(v, going(v));
}

/** Blocks of zeros. */
export const zeros = (blocks: number): string => '.'.repeat(blocks);

export interface NewVolume {
  kind: Volume['kind'];
  rw: boolean;
  source: string | null;
  policy: Policy | null;
  size: number;
}

export function* create(world: World, name: string, wish: NewVolume): Steps {
  const v = volumeOf(world, name);
  if (exists(v) || v.prepared !== null) return no(3);
  if (wish.source !== null) {
    const source = volumeOf(world, wish.source);
    if (!exists(source) || source.kind !== 'saved') return no(3);
  }
  const { size, ...facts } = wish;
  const clean = { counter: 0, facts: [], unclean: [], token: false, removing: false };
  yield* put(v, { ...facts, ...clean, size: wish.kind === 'volatile' ? size : 0 });
  if (wish.kind === 'saved') v.head = fresh(world, zeros(size));
  return { code: 0 };
}

export interface StartWish {
  onDirty?: 'resume' | 'commit' | 'discard' | 'refuse';
  confirmed?: boolean;
  prepare?: boolean;
}

export function* start(world: World, name: string, wish: StartWish): Steps {
  const v = volumeOf(world, name);
  if (!exists(v)) return no(3);
  if (open(v)) return no(4);
  if (wish.prepare) return yield* prepare(world, v);
  if (v.kind === 'saved' && !v.rw && v.head !== null && v.work === null) return yes('started');
  if (v.kind === 'snapshot' && !v.rw && isOutdated(world, v) === false) return yes('already');
  if (runs(world, v) || isHeld(world, v)) return yes('already');
  if (v.kind === 'saved' && v.work !== null) return yield* dirty(world, name, wish);
  if (v.kind === 'snapshot') return yield* overlay(world, v);
  if (v.kind === 'volatile') {
    if (v.work !== null) yield* set(v, 'work', null);
    return begin(world, v, fresh(world, zeros(v.size)));
  }
  if (v.head === null) return no(3);
  const { prepared } = v;
  if (prepared !== null) yield* set(v, 'prepared', prepared.time === v.head.time ? prepared : null);
  const image = v.prepared ?? copyOf(world, v.head);
  v.prepared = null;
  return begin(world, v, image);
}

/** The working copy is there, and noted as this boot's; one that was there before may lack its last writes. */
function begin(world: World, v: Volume, work: Image): Told {
  const unclean = v.work === work;
  Object.assign(v, { work, session: { id: work.id, boot: world.boot, unclean } });
  return yes(unclean ? 'resumed' : 'started');
}

function* prepare(world: World, v: Volume): Steps {
  if (v.kind !== 'saved' || !v.rw || v.head === null || v.work !== null) return no(3);
  if (v.prepared?.time === v.head.time) return yes('already');
  yield* set(v, 'prepared', null);
  v.prepared = copyOf(world, v.head);
  return yes('prepared');
}

function* dirty(world: World, name: string, { onDirty = 'resume', confirmed = false }: StartWish): Steps {
  const v = volumeOf(world, name);
  if (onDirty === 'resume') return begin(world, v, v.work as Image);
  if (onDirty === 'refuse' || (onDirty === 'discard' && !confirmed)) return no(3);
  yield* stop(world, name, { discard: onDirty === 'discard', confirmed, always: true });
  return yield* start(world, name, {});
}

function* overlay(world: World, v: Volume): Steps {
  const source = world.volumes[v.source ?? '']?.head ?? null;
  if (source === null) return no(3);
  if (v.work !== null) yield* set(v, 'work', null);
  if (v.head !== null) yield* set(v, 'head', null);
  yield* set(v, 'head', source);
  return v.rw ? begin(world, v, copyOf(world, source)) : yes('started');
}

export interface StopWish {
  discard?: boolean;
  label?: string;
  always?: boolean;
  confirmed?: boolean;
}

export function* stop(world: World, name: string, wish: StopWish): Steps {
  const v = volumeOf(world, name);
  if (!exists(v)) return no(3);
  const unclean = v.work !== null && (!runs(world, v) || sessionOf(v)?.unclean === true);
  const told = yield* stopped(world, name, { ...wish, unclean });
  if (told.code === 0) yield;
  if (told.code === 0 && !unclean) yield* prune(v);
  return told;
}

function* stopped(world: World, name: string, wish: StopWish & { unclean: boolean }): Steps {
  const v = volumeOf(world, name);
  const { work, head } = v;
  if (work === null) {
    if (v.kind !== 'snapshot' || head === null) return yes('already', null);
    v.head = null;
    return yes('removed', null);
  }
  if (isHeld(world, v)) return no(4);
  if (v.kind !== 'saved') return yield* thrownAway(v, work);
  if (wish.discard) return yield* discarded(v, work, wish);
  const untouched = runs(world, v) && head?.time === work.time && !wish.always;
  if (!untouched) return yield* committed(v, work, wish.unclean);
  v.prepared ??= work;
  v.work = null;
  return yes('unchanged', null);
}

function* thrownAway(v: Volume, work: Image): Steps {
  if (v.kind === 'volatile' && v.size !== work.bytes.length) yield* put(v, { size: work.bytes.length });
  yield* set(v, 'work', null);
  if (v.kind === 'snapshot') v.head = null;
  return yes('removed', null);
}

function* discarded(v: Volume, work: Image, { label, confirmed = false }: StopWish): Steps {
  if (label === undefined) {
    if (!confirmed) return no(3);
    v.work = null;
    return yes('discarded', null);
  }
  if (v.names.some((name) => factOf(v, name)?.label === label)) return no(3);
  yield* saveHead(v);
  const number = nextNumber(v);
  yield* put(v, {});
  yield void v.facts.push({ number, time: work.time, side: true, label });
  v.names.push({ number, image: work });
  v.work = null;
  yield;
  return yes('saved', number);
}

function* committed(v: Volume, work: Image, unclean: boolean): Steps {
  if (unclean) {
    yield* put(v, {});
    yield void v.unclean.push({ id: work.id, time: work.time });
  }
  const { min, count } = v.policy ?? usual;
  const savedAs = unclean || min !== 'none' || count > 0 ? yield* saveHead(v) : null;
  yield* replaceHead(v, 'work', work);
  return yes('committed', savedAs);
}

export interface RevertWish {
  target: number | string;
  discard: boolean;
}

export function* revert(world: World, name: string, { target, discard }: RevertWish): Steps {
  const v = volumeOf(world, name);
  if (!exists(v) || v.kind !== 'saved') return no(3);
  if (open(v)) return no(4);
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

export function* removeName(world: World, name: string, number: number): Steps {
  const v = volumeOf(world, name);
  if (!exists(v)) return yes('already');
  const found = named(v, number);
  if (found === undefined) return no(3);
  yield* dropNames(v, [found]);
  return yes('removed');
}

export function* remove(world: World, name: string): Steps {
  const v = volumeOf(world, name);
  const was = exists(v);
  if (isHeld(world, v)) return no(4);
  if (was && Object.values(world.volumes).some(({ stored, source }) => stored && source === name)) return no(3);
  if (was) yield* put(v, { removing: true });
  yield* removed(world, name);
  return yes(was ? 'removed' : 'already');
}

/** A removal that began goes on with the next verb that may touch the volume. */
export function* removed(world: World, name: string): Steps<void> {
  const v = volumeOf(world, name);
  for (const role of ['importing', 'prepared', 'work'] as const) if (v[role] !== null) yield* set(v, role, null);
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
  if (open(v)) return no(4);
  if (sees && v.head?.bytes === image.bytes) {
    yield* prune(v);
    return yes('unchanged', null);
  }
  yield* put(v, was ? {} : { policy: null });
  const { min, count } = v.policy ?? usual;
  const savedAs = min === 'none' && count === 0 ? null : yield* saveHead(v);
  const first = v.head === null;
  yield* replaceHead(v, null, image);
  if (!first) yield* prune(v);
  return yes('imported', savedAs);
}

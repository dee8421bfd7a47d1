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
export interface Fact {
  number: number;
  time: number;
  side: boolean;
  label: string | null;
  pins: readonly string[];
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
  names: Name[];
}
export interface World {
  volumes: Record<string, Volume>;
  boot: number;
  ids: number;
  clock: number;
  /** Open exports: of which volume, which image they keep, and the number they tell of. */
  exports: { volume: string; image: Image; number: number | null }[];
  /** The volume whose working copy somebody has open for writing. */
  held: string | null;
}

export const lost: Volume = {
  ...{ kind: 'saved', rw: true, source: null, policy: { min: 'all', count: 0 }, size: 0, stored: false },
  ...{ removing: false, counter: 0, facts: [], unclean: [], session: null },
  ...{ head: null, work: null, prepared: null, names: [] },
};

export const volumeOf = ({ volumes }: World, name: string): Volume => {
  volumes[name] ??= structuredClone(lost);
  return volumes[name];
};

export const exists = (v: Volume): boolean =>
  v.head !== null || v.work !== null || v.names.length > 0 || (v.stored && v.kind !== 'saved');

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
export const sessionOf = ({ session, work }: Volume) => (session !== null && session.id === work?.id ? session : null);
export const runs = (world: World, v: Volume) => v.work !== null && sessionOf(v)?.boot === world.boot;
export const isHeld = ({ held, volumes }: World, v: Volume) => held !== null && volumes[held] === v && v.work !== null;

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
export const no = (code: number): Told => ({ code });
export const yes = (outcome: string, savedAs?: number | null): Told =>
  savedAs === undefined ? { code: 0, outcome } : { code: 0, outcome, savedAs };

export function fresh(world: World, bytes: string): Image {
  world.ids += 1;
  world.clock += 1;
  return { id: world.ids, time: world.clock, bytes };
}
export const copyOf = (world: World, image: Image): Image => ({ ...image, id: ++world.ids });

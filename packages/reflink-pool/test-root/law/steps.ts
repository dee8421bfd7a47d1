import {
  factOf,
  type Image,
  isSide,
  isTwin,
  latest,
  type Name,
  type Policy,
  type Steps,
  type Volume,
  volumeOf,
  type World,
} from './model.ts';

/** One step in which one thing changes. */
export function* set<K extends keyof Volume>(v: Volume, key: K, value: Volume[K]): Steps<void> {
  v[key] = value;
  yield;
}

/** The sidecar is replaced as a whole; what it says about names and images that are gone is dropped. */
export function* put(v: Volume, change: Partial<Volume>): Steps<void> {
  v.facts = v.facts.filter((fact) => v.names.some((name) => factOf(v, name) === fact));
  const there = [v.head, v.work, ...v.names.map(({ image }) => image)].map((image) => image?.id);
  v.unclean = v.unclean.filter(({ id }) => there.includes(id));
  Object.assign(v, { stored: true }, change);
  yield;
}

export const nextNumber = (v: Volume) => 1 + Math.max(v.counter, ...v.names.map(({ number }) => number), 0);

/** The number of the head: its highest name that was never aside, when only asides are above. */
export function savedNumber(v: Volume): number | null {
  const main = v.names.filter((name) => !isSide(v, name)).at(-1);
  return main !== undefined && isTwin(v, main) ? main.number : null;
}

export function* saveHead(v: Volume): Steps<number | null> {
  const saved = savedNumber(v);
  if (v.head === null || saved !== null) return saved;
  const number = nextNumber(v);
  v.names.push({ number, image: v.head });
  yield;
  return number;
}

export function* replaceHead(v: Volume, from: 'work' | null, image: Image): Steps<void> {
  if (v.prepared !== null) {
    v.prepared = null;
    yield;
  }
  v.head = image;
  if (from !== null) v[from] = null;
  yield;
}

export const usual: Policy = { min: 'latest', count: 1 };

function isMarked(v: Volume, one: Name): boolean {
  const fact = factOf(v, one);
  return fact !== undefined && (fact.label !== null || fact.pins.length > 0);
}

/** Names that the policy lets go (rules 1 to 7 of prune), looked at again until nothing more goes. */
export function going(world: World, name: string, { min, count }: Policy): Name[] {
  const v = volumeOf(world, name);
  const exported = world.exports.filter(({ volume }) => volume === name).map(({ image }) => image.id);
  const firm = (one: Name) => isTwin(v, one) || isMarked(v, one) || exported.includes(one.image.id);
  let left = v.names;
  for (;;) {
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

export function* dropNames(v: Volume, names: readonly Name[]): Steps<void> {
  const top = v.names.at(-1)?.number ?? 0;
  if (names.some(({ number }) => number === top) && v.counter < top) yield* put(v, { counter: top });
  for (const { number } of names) {
    v.names = v.names.filter((name) => name.number !== number);
    yield;
  }
}

export const isUncleanHead = ({ unclean, head }: Volume) =>
  unclean.some(({ id, time }) => id === head?.id && time === head.time);

/** What a stop lets go: nothing while the head may lack its last writes, or there is none. */
export function* prune(world: World, name: string): Steps<void> {
  const v = volumeOf(world, name);
  if (v.kind !== 'saved' || v.head === null || isUncleanHead(v)) return;
  yield* dropNames(v, going(world, name, v.policy ?? usual));
}

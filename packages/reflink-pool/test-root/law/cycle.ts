import {
  copyOf,
  exists,
  factOf,
  fresh,
  type Image,
  isHeld,
  isOutdated,
  no,
  type Policy,
  runs,
  type Steps,
  sessionOf,
  type Told,
  type Volume,
  volumeOf,
  type World,
  yes,
} from './model.ts';
import { nextNumber, prune, put, replaceHead, saveHead, set, usual } from './steps.ts';

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
  const clean = { counter: 0, facts: [], unclean: [], removing: false };
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
  if (told.code === 0 && !unclean) yield* prune(world, name);
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
  if (v.kind !== 'saved') return wish.label === undefined ? yield* thrownAway(v, work) : no(3);
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
  yield void v.facts.push({ number, time: work.time, side: true, label, pins: [] });
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

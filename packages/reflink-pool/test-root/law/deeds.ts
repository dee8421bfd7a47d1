import fc from 'fast-check';
import { create, type NewVolume, type StartWish, type StopWish, start, stop } from './cycle.ts';
import { fresh, type Image, type Policy, type Steps, type Volume, volumeOf, type World } from './model.ts';
import {
  bringIn,
  clone,
  keep,
  note,
  pruneNow,
  remove,
  removed,
  removeName,
  resize,
  revert,
  snapshot,
} from './states.ts';

/** One thing that happens: what, to which volume, and a number to choose by. */
export interface Deed {
  verb: string;
  on: string;
  n: number;
  /** The process dies before this change. */
  kill: number | null;
  held: boolean;
}

/** A verb as it is said, and what the model says it does. */
export interface Act {
  line: string;
  stdin?: string;
  /** The volume that is locked, when it is not the one the deed is on. */
  locks?: string;
  steps(world: World, sees: boolean): Steps;
}

export const blocks = 16;
/** The names of volumes, which look alike on purpose, and what they are when they are created. */
export const wishes: Record<string, NewVolume> = {
  v: { kind: 'saved', rw: true, source: null, policy: null, size: blocks },
  'v-2': { kind: 'saved', rw: true, source: null, policy: { min: 'none', count: 0 }, size: blocks },
  'd/v': { kind: 'saved', rw: true, source: null, policy: { min: 'none', count: 3 }, size: blocks + 8 },
  'd/ro': { kind: 'saved', rw: false, source: null, policy: { min: 'all', count: 0 }, size: blocks },
  'd/s': { kind: 'snapshot', rw: true, source: 'v', policy: null, size: 0 },
  'd/s.r': { kind: 'snapshot', rw: false, source: 'v', policy: null, size: 0 },
  c: { kind: 'saved', rw: true, source: null, policy: null, size: blocks },
  t: { kind: 'volatile', rw: true, source: null, policy: null, size: 4 },
};

/** Images to import, by file name; two of them have the same bytes and are two files. */
export const sources: Record<string, Image> = {
  'A.raw': { id: -1, time: -1, bytes: 'AAAA..AAAA......' },
  'B.raw': { id: -2, time: -2, bytes: 'BBBBBBBBBBBBBBBBBBBBBBBB' },
  'C.raw': { id: -3, time: -3, bytes: 'AAAA..AAAA......' },
};

const policyText = ({ min, count }: Policy) => `min=${min},count=${count}`;
const pick = <T>(some: readonly T[], n: number): T => some[n % some.length] as T;
/** The number of a name that is there, or now and then one that is not. */
const numberIn = ({ names }: Volume, n: number) =>
  pick([...names.map(({ number }) => number), ...names.map(({ number }) => number), 99], n);

const starts: StartWish[] = [
  ...[{}, {}, {}, {}, { prepare: true }],
  ...[
    { onDirty: 'commit' as const },
    { onDirty: 'discard' as const, confirmed: true },
    { onDirty: 'discard' as const },
    { onDirty: 'refuse' as const },
  ],
];
const stops: StopWish[] = [
  ...[{}, {}, {}, {}, { always: true }, { discard: true }, { discard: true, confirmed: true }],
  ...[
    { discard: true, label: 'a' },
    { discard: true, label: 'b' },
    { discard: true, label: 'c' },
  ],
];

const startLine = ({ onDirty, confirmed, prepare }: StartWish, on: string) =>
  [`start ${on}`, onDirty && `--on-dirty ${onDirty}`, confirmed && `--confirm=${on}`, prepare && '--prepare']
    .filter(Boolean)
    .join(' ');
const stopLine = ({ discard, label, always, confirmed }: StopWish, on: string) =>
  [
    `stop ${on}`,
    discard && '--discard',
    label && `--label ${label}`,
    always && '--always',
    confirmed && `--confirm=${on}`,
  ]
    .filter(Boolean)
    .join(' ');

function createLine(on: string, { kind, rw, source, policy, size }: NewVolume): string {
  const words = [`create ${on} --kind ${kind}`, source && `--source ${source}`, size && `--size ${size * 4}K`];
  return [...words, !rw && '--read-only', policy && `--policy ${policyText(policy)}`].filter(Boolean).join(' ');
}

/** Each verb: how it is said about a volume as it is now, and what it does to the model. */
const verbs: Record<string, (deed: Deed, v: Volume, index: number) => Act> = {
  create: ({ on }) => {
    const wish = wishes[on] as NewVolume;
    return { line: createLine(on, wish), steps: (world) => create(world, on, wish) };
  },
  start: ({ on, n }) => {
    const wish = pick(starts, n);
    return { line: startLine(wish, on), steps: (world) => start(world, on, wish) };
  },
  stop: ({ on, n }) => {
    const wish = pick(stops, n);
    return { line: stopLine(wish, on), steps: (world) => stop(world, on, wish) };
  },
  revert: ({ on, n }, v) => {
    const target = pick([numberIn(v, n), numberIn(v, n), 'latest', pick(['a', 'b', 'c'], n)], n >> 3);
    const discard = (n & 1) === 1;
    const line = `revert ${on}@${target}${discard ? ` --discard --confirm=${on}` : ''}`;
    return { line, steps: (world) => revert(world, on, { target, discard }) };
  },
  'remove-name': ({ on, n }, v) => {
    const number = numberIn(v, n);
    return {
      line: `remove ${on}@${number} --confirm=${on}@${number}`,
      steps: (world) => removeName(world, on, number),
    };
  },
  remove: ({ on }) => ({ line: `remove ${on} --confirm=${on}`, steps: (world) => remove(world, on) }),
  'import-file': ({ on, n }) => {
    const [file, image] = pick(Object.entries(sources), n);
    const may = n % 4 !== 0;
    const line = `import ${on} ../${file}${may ? ' --create' : ''}`;
    const steps = (world: World, sees: boolean) =>
      bringIn(world, on, { image: { ...image, id: ++world.ids }, create: may, sees });
    return { line, steps };
  },
  'import-stream': ({ on, n }, _, index) => {
    const bytes = n % 3 === 0 ? 'AAAA..AAAA......' : `${letterOf(index).repeat(blocks - 2)}..`;
    const steps = (world: World, sees: boolean) =>
      bringIn(world, on, { image: fresh(world, bytes), create: n % 4 !== 0, sees });
    return { line: `import ${on} -${n % 4 !== 0 ? ' --create' : ''}`, stdin: bytes, steps };
  },
  label: ({ on, n }, v) => {
    const [target, label] = [targetIn(v, n), pick(['a', 'b', 'c', null], n)];
    const line = `label ${on}@${target} ${label ?? '--clear'}`;
    return { line, steps: (world) => note(world, on, { target, label }) };
  },
  pin: ({ on, n }, v) => {
    const [target, pin] = [targetIn(v, n), n % 5 < 2];
    return {
      line: `pin ${on}@${target}${pin ? '' : ' --release'}`,
      steps: (world) => note(world, on, { target, pin }),
    };
  },
  snapshot: ({ on, n }) => {
    const label = pick([null, 'a', 'b', 'c'], n);
    const line = `snapshot ${on}${label === null ? '' : ` --label ${label}`}`;
    return { line, steps: (world) => snapshot(world, on, label) };
  },
  clone: ({ on, n }, v) => {
    const [target, to] = [targetIn(v, n), pick(['c', 'v-2', 'd/v'], n)];
    return { line: `clone ${on}@${target} ${to}`, locks: to, steps: (world) => clone(world, on, { to, target }) };
  },
  export: ({ on, n }, v) => {
    const target = targetIn(v, n);
    return { line: `export ${on}@${target}`, steps: (world) => keep(world, on, target) };
  },
  prune: ({ on, n }) => {
    const policy = pick([null, { min: 'none', count: 0 } as const, { min: 'none', count: 2 } as const], n);
    const line = `prune ${on}${policy === null ? '' : ` --policy ${policyText(policy)}`}`;
    return { line, steps: (world) => pruneNow(world, on, policy) };
  },
  resize: ({ on, n }) => {
    const [size, shrink] = [pick([8, 16, 20, 24], n), n % 3 === 0];
    const line = `resize ${on} ${size * 4}K${shrink ? ` --allow-shrink --confirm=${on}` : ''}`;
    return { line, steps: (world) => resize(world, on, { size, shrink }) };
  },
};

/** The words that mean the head or one of the names. */
const targetIn = (v: Volume, n: number) => pick(['head', numberIn(v, n), numberIn(v, n)], n >> 2);

/** A character for what is written in one step of a history, of one UTF-16 unit and no other use. */
export const letterOf = (index: number): string => String.fromCodePoint(0x4e00 + index);

/** The verb of a deed under the volume's lock: what a crash left is finished first. */
export function actOf(deed: Deed, world: World, index: number): Act {
  const act = verbs[deed.verb]?.(deed, volumeOf(world, deed.on), index);
  if (act === undefined) throw new Error(`nobody knows how to ${deed.verb}`);
  return {
    ...act,
    *steps(now, sees) {
      if (act.locks === undefined && volumeOf(now, deed.on).removing) yield* removed(now, deed.on);
      return yield* act.steps(now, sees);
    },
  };
}

const saved = ['v', 'v', 'v', 'd/v'];
const verbOf = fc.oneof(
  { weight: 18, arbitrary: fc.constant('next') },
  { weight: 6, arbitrary: fc.constantFrom('start', 'write', 'stop') },
  { weight: 4, arbitrary: fc.constant('revert') },
  { weight: 3, arbitrary: fc.constantFrom('remove-name', 'import-file', 'import-stream') },
  { weight: 5, arbitrary: fc.constantFrom('label', 'pin', 'snapshot', 'clone', 'export', 'prune', 'resize') },
  { weight: 2, arbitrary: fc.constantFrom('reboot', 'create', 'lose-volumes', 'lose-sessions') },
  { weight: 1, arbitrary: fc.constantFrom('remove', 'lose-both') },
);

/** What every history begins with. */
export const first: readonly Deed[] = ['v', 'd/v', 'd/s'].map((on) => ({
  verb: 'create',
  on,
  n: 0,
  kill: null,
  held: false,
}));

const on = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...saved) },
  { weight: 1, arbitrary: fc.constantFrom(...Object.keys(wishes)) },
);
const fixed = fc.noShrink(fc.record({ verb: verbOf, on, n: fc.nat(719), held: fc.nat(15).map((n) => n === 15) }));
const kill = fc.option(fc.integer({ min: 1, max: 8 }), { freq: 2 });

/** A history of 30 deeds. One that fails shrinks to the few that matter; what these do stays as it is. */
export const history: fc.Arbitrary<(Deed | null)[]> = fc.array(
  fc.option(
    fc.tuple(fixed, kill).map(([deed, at]) => ({ ...deed, kill: at })),
    { freq: 1000 },
  ),
  { minLength: 30, maxLength: 30 },
);

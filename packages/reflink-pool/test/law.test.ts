import fc from 'fast-check';
import { expect, it } from 'vitest';
import { effort } from '../../../e2e/ground/effort.ts';
import { Disk, Killed } from './disk.ts';
import { go, poolOf } from './pool-of.ts';
import { type Said, say } from './said.ts';

/**
 * Law L1: whatever a volume went through, a process killed before any of its changes and run again leaves the same
 * head, the same working copy and the same saved states as one that was not killed. The verbs are the real ones, on a
 * disk in memory: names to inodes, single changes.
 */
const head = '/pool/v.img';
const work = '/pool/v-dirty.img';
const revision = /^\/pool\/v\.img\.(\d+)@[^~]*Z$/;

/** One step of a history: a verb, or what happens without one, and numbers to choose by. */
interface Step {
  verb: string;
  n: number;
}

const step = (...verbs: string[]) => fc.record({ verb: fc.constantFrom(...verbs), n: fc.nat(20) });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: step('start') },
  { weight: 6, arbitrary: step('write') },
  { weight: 6, arbitrary: step('stop') },
  { weight: 4, arbitrary: step('prepare', 'always', 'discard', 'reboot', 'forget') },
  { weight: 6, arbitrary: step('revert', 'undo', 'remove', 'latest') },
  { weight: 3, arbitrary: step('aside', 'import') },
  { weight: 4, arbitrary: step('label', 'clear', 'pin', 'release', 'export', 'end') },
);

const numbersOf = (disk: Disk) =>
  [...disk.names.keys()]
    .flatMap((path) => revision.exec(path)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);

/** The open exports, the oldest first. */
const exportsOf = (disk: Disk) =>
  [...disk.names.keys()].flatMap((path) => /exports\/([0-9a-f]{12})\.img$/.exec(path)?.[1] ?? []);

/** The words of a verb, of which `export` and `latest` do another thing the second time; `ref` is a revision that is there, `id` an export. */
const lines: Record<string, (ref: string, n: number, id: string) => string> = {
  start: () => 'start v',
  prepare: () => 'start v --prepare',
  stop: () => 'stop v',
  always: () => 'stop v --always',
  discard: () => 'stop v --discard --confirm=v',
  aside: (_, n) => `stop v --discard --label l${n}`,
  import: () => 'import v -',
  latest: () => 'revert v',
  revert: (ref) => `revert ${ref}`,
  undo: (ref) => `revert ${ref} --discard --confirm=v`,
  remove: (ref) => `remove ${ref} --confirm=${ref}`,
  label: (ref, n) => `label ${n % 4 === 0 ? 'v@head' : ref} l${n}`,
  clear: (ref) => `label ${ref} --clear`,
  pin: (ref, n) => `pin ${n % 4 === 0 ? 'v@head' : ref}`,
  release: (ref) => `pin ${ref} --release`,
  export: (ref) => `export ${ref}`,
  end: (_, __, id) => `export --end ${id}`,
};

/** The line of a step on a disk; null when it needs something that is not there. */
function line({ verb, n }: Step, disk: Disk): string | null {
  const [numbers, ids] = [numbersOf(disk), exportsOf(disk)];
  const [some, id] = [numbers[n % Math.max(1, numbers.length)], ids[n % Math.max(1, ids.length)]];
  const words = lines[verb]?.(`v@${some}`, n, `${id}`) ?? null;
  return words?.includes('undefined') ? null : words;
}

/** What happens to a disk without any verb of ours. */
function happen(step: Step, disk: Disk, letter: string): void {
  disk.clock += 1000;
  if (step.verb === 'write' && disk.names.has(work)) disk.scribble(work, letter);
  if (step.verb === 'reboot') disk.boot = `boot-${disk.clock}`;
  if (step.verb !== 'forget') return;
  for (const path of [...disk.names.keys()])
    if (/\.platter\/(volumes|sessions)\/v\.json$/.test(path)) disk.names.delete(path);
}

const run = (disk: Disk, words: string, letter: string): Promise<Said> =>
  say(disk, words, { stdin: letter.repeat(512), now: () => disk.clock });

/** Runs a verb that dies before its n-th change; false when it had fewer. */
async function killed(disk: Disk, words: string, { n, letter }: { n: number; letter: string }): Promise<boolean> {
  disk.killAt(n);
  try {
    await run(disk, words, letter);
    return false;
  } catch (error) {
    if (error instanceof Killed) return true;
    throw error;
  } finally {
    disk.revive();
  }
}

const saved = (disk: Disk) =>
  [
    ...new Set(
      [...disk.names].filter(([path]) => path === head || revision.test(path)).map(([, { content }]) => content),
    ),
  ].sort();

const picture = (disk: Disk) => ({ head: disk.content(head), work: disk.content(work), saved: saved(disk) });

/** What `v@latest` holds: the state before, for anybody who asks; undefined when there is none. */
async function former(disk: Disk): Promise<string | undefined> {
  const { code, records } = await say(disk, 'show v@latest -o json');
  return code === 0 ? disk.content(String(records[0]?.path)) : undefined;
}

async function fresh(policy: string): Promise<Disk> {
  const disk = new Disk('/pool');
  disk.facts.set('/pool/.platter', []);
  for (const dir of ['', '/volumes', '/sessions', '/locks', '/exports', '/sets'])
    await disk.change({ op: 'mkdir', path: `/pool/.platter${dir}`, mode: 0o700 });
  const settings = { format: 1, uuid: 'u', createdAt: '', backend: 'reflink', prepare: 'never', reserveBytes: 0 };
  const pool = { kind: 'PoolFile', ...settings, policy, calibration: null };
  await disk.change({
    op: 'write',
    path: '/pool/.platter/pool.json',
    data: JSON.stringify(pool),
    mode: 0o600,
    exclusive: true,
  });
  expect((await say(disk, 'create v --size 512')).code).toBe(0);
  return disk;
}

const history = fc.array(fc.record({ step: steps, kill: fc.option(fc.integer({ min: 1, max: 14 })) }), {
  minLength: 12,
  maxLength: 40,
  size: 'max',
});

/** Every change a verb makes must leave every number its one image. */
function watch(disk: Disk, given: Map<number, number>): void {
  for (const [path, { ino }] of disk.names) {
    const number = Number(revision.exec(path)?.[1]);
    if (Number.isNaN(number)) continue;
    expect([number, given.get(number) ?? ino]).toEqual([number, ino]);
    given.set(number, ino);
  }
}

/** The numbers that exports tell of. */
const tracedBy = (disk: Disk) =>
  [...disk.names].flatMap(([path, { content }]) =>
    /exports\/[0-9a-f]{12}\.json$/.test(path) ? [Number(JSON.parse(content).number)] : [],
  );

/**
 * Without a sidecar a number is known only while a name carries it or an export or a set tells of it: one above all of
 * these may come again.
 */
function forget(disk: Disk, given: Map<number, number>): void {
  const top = Math.max(0, ...numbersOf(disk), ...tracedBy(disk));
  for (const number of given.keys()) if (number > top) given.delete(number);
}

it('L1: killed at any change and run again, a history ends like the one that was not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        'min=latest,count=1',
        'count=0,min=latest',
        'count=2',
        'count=3',
        'min=none',
        'count=0',
        'min=all',
      ),
      history,
      async (policy, moves) => {
        const [calm, struck] = [await fresh(policy), await fresh(policy)];
        const given = new Map<number, number>();
        for (const [index, { step, kill: at }] of moves.entries()) {
          const kill = ['export', 'latest'].includes(step.verb) ? null : at;
          const letter = String.fromCodePoint(0x100 + index);
          for (const disk of [calm, struck]) happen(step, disk, letter);
          if (step.verb === 'forget') forget(struck, given);
          const [words, same] = [line(step, calm), line(step, struck)];
          if (words === null || same === null) continue;
          const before = picture(struck);
          const { code, records } = await run(calm, words, letter);
          expect({ words, code }).toEqual({ words, code: expect.toBeOneOf([0, 3]) });
          const [said] = records;
          if (said?.outcome === 'committed' && !['min=none', 'count=0'].includes(policy))
            expect(await former(calm)).toBe(before.head);
          const died = kill !== null && (await killed(struck, same, { n: kill, letter }));
          if (died) {
            expect([before.head, calm.content(head)]).toContain(struck.content(head));
            watch(struck, given);
          }
          if (died || kill === null) await run(struck, same, letter);
          watch(struck, given);
          const [ours, theirs] = [await former(struck), await former(calm)];
          expect({ words, ours, ...picture(struck) }).toEqual({ words, ours: theirs, ...picture(calm) });
          expect([...struck.names.keys()].filter((path) => path.includes('~'))).toEqual([]);
        }
      },
    ),
    effort(500),
  );
}, 120_000);

it('a revert that throws a working copy away first lets nothing go that it could go back to', async () => {
  const disk = await poolOf(
    'create v --size 512',
    'start v',
    'write b',
    'stop v',
    'revert v@1',
    'revert v@2',
    'start v',
  );
  const before = numbersOf(disk);
  const said = await go(disk, 'revert v@1 --discard --confirm=v');
  expect([said?.records[0]?.outcome, numbersOf(disk)]).toEqual(['reverted', [...before, 4]]);
});

it('a number that an export or a set tells of is not given again, though the sidecar and the name are lost', async () => {
  for (const trace of ['export v@2', 'set']) {
    const disk = await poolOf('create v --size 512', 'start v', 'write b', 'stop v', 'start v', 'write c', 'stop v');
    if (trace === 'set') {
      const data = JSON.stringify({ members: [{ volume: 'v', number: 2 }] });
      await disk.change({ op: 'write', path: '/pool/.platter/sets/night.json', data, mode: 0o600, exclusive: true });
    } else await go(disk, trace);
    await go(disk, 'remove v@2 --confirm=v@2');
    disk.names.delete('/pool/.platter/volumes/v.json');
    const said = await go(disk, 'pin v@head');
    expect([trace, said?.records[0]?.number]).toEqual([trace, 3]);
  }
});

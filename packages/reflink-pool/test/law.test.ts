import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Disk, Killed } from './disk.ts';
import { type Said, say } from './said.ts';

/**
 * Law L1: whatever a volume went through, a process killed before any of its changes and run again leaves the same
 * head, the same working copy and the same saved states as one that was not killed. The verbs are the real ones, on a
 * disk in memory: names to inodes, single changes.
 */
const head = '/pool/v.img';
const work = '/pool/v-dirty.img';
const revision = /^\/pool\/v\.img\.(\d+)@[^~]*Z$/;

type Step =
  | { verb: 'start' | 'prepare' | 'stop' | 'always' | 'discard' | 'latest' | 'reboot' | 'forget' }
  | { verb: 'write' | 'aside' | 'import'; n: number }
  | { verb: 'revert' | 'remove'; n: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ verb: 'start' as const }) },
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('write' as const), n: fc.nat(9) }) },
  { weight: 6, arbitrary: fc.constant({ verb: 'stop' as const }) },
  fc
    .constantFrom(...(['prepare', 'always', 'discard', 'reboot', 'discard', 'forget'] as const))
    .map((verb) => ({ verb })),
  { weight: 5, arbitrary: fc.record({ verb: fc.constantFrom('revert' as const, 'remove' as const), n: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constantFrom('aside' as const, 'import' as const), n: fc.nat(9) }) },
);

const numbersOf = (disk: Disk) =>
  [...disk.names.keys()]
    .flatMap((path) => revision.exec(path)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);

/** The words of a step, with a revision that is there where it needs one. */
function line(step: Step, disk: Disk): string | null {
  const numbers = numbersOf(disk);
  const some = 'n' in step ? numbers[step.n % Math.max(1, numbers.length)] : undefined;
  switch (step.verb) {
    case 'start':
      return 'start v';
    case 'prepare':
      return 'start v --prepare';
    case 'stop':
      return 'stop v';
    case 'always':
      return 'stop v --always';
    case 'discard':
      return 'stop v --discard --confirm=v';
    case 'aside':
      return `stop v --discard --label l${disk.clock}`;
    case 'import':
      return 'import v -';
    case 'revert':
      return some === undefined ? null : `revert v@${some}`;
    case 'remove':
      return some === undefined ? null : `remove v@${some} --confirm=v@${some}`;
    default:
      return null;
  }
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

/** Every change a verb makes must leave a whole head, and every number its one state. */
function watch(disk: Disk, given: Map<number, string>, forgetful: boolean): void {
  for (const [path, { content }] of disk.names) {
    const number = Number(revision.exec(path)?.[1]);
    if (Number.isNaN(number)) continue;
    if (!forgetful && given.has(number)) expect([number, content]).toEqual([number, given.get(number)]);
    given.set(number, content);
  }
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
        const given = new Map<number, string>();
        let forgetful = false;
        for (const [index, { step, kill }] of moves.entries()) {
          const letter = String.fromCodePoint(0x100 + index);
          forgetful ||= step.verb === 'forget';
          for (const disk of [calm, struck]) happen(step, disk, letter);
          const [words, same] = [line(step, calm), line(step, struck)];
          if (words === null || same === null) continue;
          const before = picture(struck);
          const { code, records } = await run(calm, words, letter);
          expect({ words, code }).toEqual({ words, code: expect.toBeOneOf([0, 3]) });
          const [said] = records;
          if (said?.outcome === 'committed' && !['min=none', 'count=0'].includes(policy))
            expect(await former(calm)).toBe(before.head);
          const died = kill !== null && (await killed(struck, words, { n: kill, letter }));
          if (died) {
            expect([before.head, calm.content(head)]).toContain(struck.content(head));
            watch(struck, given, forgetful);
          }
          if (died || kill === null) await run(struck, words, letter);
          watch(struck, given, forgetful);
          const [ours, theirs] = [await former(struck), await former(calm)];
          expect({ words, ours, ...picture(struck) }).toEqual({ words, ours: theirs, ...picture(calm) });
          expect([...struck.names.keys()].filter((path) => path.includes('~'))).toEqual([]);
        }
      },
    ),
    { numRuns: Number(process.env.PLATTER_LAW_RUNS ?? 150) },
  );
}, 120_000);

import { describe, expect, it } from 'vitest';
import { tipsOf } from '../src/chain.ts';
import { expiryOf, standsInTheWay } from '../src/keeping.ts';
import { seal } from '../src/manifest.ts';
import type { BackupSet, Point } from '../src/manifest-kinds.ts';
import { type Manner, planOf } from '../src/pruning.ts';
import { heading } from '../src/publish.ts';
import type { VmFacts } from '../src/repository.ts';
import { point, scene } from './points.ts';

const manner: Manner = { strategy: 'merge', fold: 'auto', reflinks: false };

/** A set that names these points of the one disk; its moment is that of the last. */
function setOf(of: Point): BackupSet {
  const { id, capturedAt, capturedAtFrom, consistency, repo, stateId, virtualSize } = of;
  return seal({
    ...heading('BackupSet'),
    ...{ repo, id, capturedAt, capturedAtFrom, consistency, namespace: 'default', vm: 'db' },
    members: [{ disk: 'data', uid: 'uid', point: id, stateId, virtualSize }],
    attachments: [],
    labels: {},
  }) as BackupSet;
}

/** A VM with one disk; a set for each of the points that are named. */
function vm(points: readonly Point[], named: readonly number[]): VmFacts {
  const { facts } = scene(points);
  const sets = named.map((n) => {
    const value = setOf(points.find(({ id }) => id === `id-${n}`) as Point);
    return { name: `${value.id}.json`, path: `/s/${value.id}`, value, fault: null };
  });
  return { ...facts, sets };
}

/** What becomes of a VM of which the newest sets are kept. */
function told(facts: VmFacts, last: number, how: Partial<Manner> = {}): string[] {
  const expiry = expiryOf(facts, { policy: { last }, now: Date.parse('2026-02-01T00:00:00Z') });
  const { uptakes, dropped } = planOf(facts, expiry, { ...manner, ...how });
  return [
    ...expiry.expired.map((id) => `set ${id}`),
    ...uptakes.map(({ op, points, into }) => `${op} ${points.map(({ id }) => id)} into ${into.id}`),
    ...dropped.map(({ points }) => `drop ${points.map(({ id }) => id)}`),
  ];
}

const chain = (length: number): Point[] => Array.from({ length }, (_, n) => point(n + 1));
/** A full of its own after others. */
const full = (n: number): Point => point(n, { type: 'full', parent: null, checkpointChain: [`id-${n}`] });

describe('a plan of what goes', () => {
  it('merges each run of expired points into the retained one above it', () => {
    const facts = vm(chain(6), [1, 4, 6]);
    expect(told(facts, 3)).toEqual(['merge id-2,id-3 into id-4', 'merge id-5 into id-6']);
  });

  it.each([
    [{ fold: 'always' }, true],
    [{ fold: 'never', reflinks: true }, false],
    [{ fold: 'auto', reflinks: true }, true],
    [{ fold: 'auto', reflinks: false }, false],
  ] as const)('folds a full or leaves it: %j', (how, folds) => {
    const small = chain(3).map((one, n) => (n === 1 ? point(2, { data: { ...one.data, size: 65_536 } }) : one));
    expect(told(vm(small, [3]), 1, how)).toEqual(folds ? ['fold id-1,id-2 into id-3'] : []);
  });

  it('folds by itself when the run is long, or when its increments are more than half of the full', () => {
    expect(told(vm(chain(9), [9]), 1)).toEqual([`fold ${chain(8).map(({ id }) => id)} into id-9`]);
    const sized = (size: number) =>
      vm(
        chain(3).map((one, n) => (n === 1 ? point(2, { data: { ...one.data, size } }) : one)),
        [3],
      );
    expect(told(sized(327_680), 1)).toEqual([]);
    expect(told(sized(393_216), 1)).toEqual(['fold id-1,id-2 into id-3']);
  });

  it('drops what nothing retained needs, leaf first', () => {
    const facts = vm([...chain(3), full(4), point(5, { checkpointChain: ['id-4', 'id-5'] })], [1, 2, 3, 4, 5]);
    expect(told(facts, 2)).toEqual(['set id-3', 'set id-2', 'set id-1', 'drop id-3,id-2,id-1']);
    expect(told(facts, 3)).toEqual(['set id-2', 'set id-1', 'fold id-1,id-2 into id-3']);
    expect(told(facts, 3, { strategy: 'whole-chain', fold: 'always' })).toEqual(['set id-2', 'set id-1']);
  });

  it('keeps points that came after the newest set; the last ones of a chain that none keeps go', () => {
    expect(told(vm(chain(4), [1, 2]), 2)).toEqual([]);
    expect(told(vm([...chain(3), full(4)], [1, 4]), 2)).toEqual(['drop id-3,id-2']);
    expect(told(vm(chain(2), []), 1)).toEqual([]);
  });

  it('says what stands in the way: damage in what is kept, never in what goes', () => {
    const points = [...chain(3), full(4)];
    const found = (facts: VmFacts, last: number) =>
      standsInTheWay(facts, expiryOf(facts, { policy: { last }, now: Date.parse('2026-02-01T00:00:00Z') })).map(
        ({ rule }) => rule,
      );
    const without = (facts: VmFacts, file: string): VmFacts => ({
      ...facts,
      disks: facts.disks.map((disk) => ({ ...disk, data: disk.data.filter(({ name }) => name !== file) })),
    });
    const torn = without(vm(points, [3, 4]), 'id-2.0.qcow2');
    expect([found(torn, 1), found(torn, 2)]).toEqual([[], ['C8']]);
    const lost = without(vm(chain(1), [1]), 'id-1.0.dig');
    const late = expiryOf(lost, { policy: { within: 1 }, now: Date.parse('2027-01-01T00:00:00Z') });
    expect([late.kept, standsInTheWay(lost, late).length]).toEqual([[], 1]);
  });
});

describe('tips', () => {
  const tips = (points: readonly Point[], ids: readonly string[]) => tipsOf(scene(points).disk, ids);

  it('of points are those that no other of them rests on', () => {
    const points = [...chain(3), full(4)];
    expect(tips(points, ['id-1', 'id-3', 'id-2', 'id-4'])).toEqual(['id-3', 'id-4']);
    expect(tips(points, ['id-1', 'id-1'])).toEqual(['id-1']);
    expect(tips(points, ['id-9', 'id-1'])).toEqual(['id-9', 'id-1']);
    expect(tips(points, [])).toEqual([]);
  });

  it('leave nothing out that goes round', () => {
    const round = [point(1, { parent: { id: 'id-2', stateId: '' } }), point(2), full(3)];
    expect(tips(round, ['id-3', 'id-1', 'id-2']).sort()).toEqual(['id-1', 'id-2', 'id-3']);
  });
});

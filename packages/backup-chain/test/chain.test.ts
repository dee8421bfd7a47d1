import { describe, expect, it } from 'vitest';
import { chainOf, dependents, setFindings } from '../src/chain.ts';
import { exitOf, worst } from '../src/finding.ts';
import type { Point } from '../src/manifest-kinds.ts';
import { point, scene } from './points.ts';

const three = (change: Partial<Record<1 | 2 | 3, Partial<Point>>> = {}): Point[] =>
  ([1, 2, 3] as const).map((n) => point(n, change[n] ?? {}));
const rulesOf = (points: Point[], more = {}): string[] => {
  const { findings } = chainOf(scene(points, more), 'id-3');
  return [...new Set(findings.map(({ rule }) => rule))];
};
const fileOf = (n: number, change: object) => {
  const { disk } = scene(three());
  return { data: disk.data.map((one) => (one.name === `id-${n}.0.qcow2` ? { ...one, ...change } : one)) };
};

describe('C rules, each broken alone', () => {
  it('a good chain has no finding', () => expect(rulesOf(three())).toEqual([]));

  it.each<[string, Point[], object?]>([
    ['C1', three().slice(0, 2)],
    ['C1', [point(1), point(3)]],
    ['C2', three({ 3: { checkpointChain: ['id-1', 'id-3'] } })],
    ['C3', [...three(), point(4, { parent: { id: 'id-2', stateId: point(2).stateId } })]],
    ['C3', three({ 1: { parent: { id: 'id-3', stateId: point(3).stateId } } })],
    ['C4', three({ 2: { type: 'full' } })],
    ['C4', three({ 1: { type: 'incremental' } })],
    ['C5', three({ 2: { parent: { id: 'id-1', stateId: 'a'.repeat(64) } } })],
    ['C5', three({ 3: { stateId: 'a'.repeat(64) } })],
    ['C6', three({ 2: { repo: '4be1f6c2-6c0e-4d0e-9d54-0f6c3c9a7f12' } })],
    ['C7', three({ 3: { sequence: 2 } })],
    ['C8', three({ 2: { data: { ...point(2).data, file: '../id-2.0.qcow2' } } })],
    ['C8', three(), fileOf(2, { kind: 'link' })],
    ['C8', three(), fileOf(2, { size: 3 })],
    ['C8', three(), fileOf(2, { name: 'gone' })],
    ['C9', [...three(), point(4, { parent: null, type: 'full', data: point(2).data })]],
    [
      'C12',
      three(),
      { data: scene(three()).disk.data.map((one) => (one.name === 'id-2.0.dig' ? { ...one, size: 32 } : one)) },
    ],
  ])('%s', (rule, points, more = {}) => expect(rulesOf(points, more)).toContain(rule));

  it('time that goes backwards and a second name are only noted', () => {
    const { findings } = chainOf(
      scene(three({ 3: { capturedAt: '2025-01-01T00:00:00Z' } }), fileOf(2, { nlink: 2 })),
      'id-3',
    );
    expect(findings.map(({ rule, code }) => [rule, code])).toEqual([
      ['C7', 'noted'],
      ['C8', 'noted'],
    ]);
    expect(exitOf(findings)).toBe(0);
  });

  it('an unreadable manifest in the chain is told as what it is; one beside it is not', () => {
    const { facts, disk } = scene(three());
    const lose = (n: number, code: 'corrupt' | 'unsupported') =>
      disk.points.map((one, at) => (at === n ? { ...one, value: null, fault: { code, message: 'x' } } : one));
    expect(worst(chainOf({ facts, disk: { ...disk, points: lose(1, 'unsupported') } }, 'id-3').findings)).toBe(
      'unsupported',
    );
    expect(chainOf({ facts, disk: { ...disk, points: lose(2, 'corrupt') } }, 'id-2').findings).toEqual([]);
  });

  it('a merged point leaves a gap that the ids it supersedes explain', () => {
    const merged = point(3, { parent: { id: 'id-1', stateId: point(1).stateId }, supersedes: ['id-2'] });
    expect(rulesOf([point(1), merged])).toEqual([]);
    expect(rulesOf([point(1), point(3, { parent: { id: 'id-1', stateId: point(1).stateId } })])).toEqual(['C2']);
  });

  it('everything above a point depends on it, also in a circle', () => {
    expect(dependents(scene(three()).disk, 'id-2')).toEqual(['id-2', 'id-3']);
    expect(dependents(scene(three({ 1: { parent: { id: 'id-3', stateId: '' } } })).disk, 'id-2')).toEqual([
      'id-2',
      'id-3',
      'id-1',
    ]);
  });

  it('a set must be of this VM and name points in their states (C10)', () => {
    const { facts } = scene(three());
    const member = { disk: 'data', uid: 'uid', point: 'id-3', stateId: point(3).stateId, virtualSize: 131_072 };
    const set = (change: object, name = 's.json') =>
      ({
        name,
        path: name,
        fault: null,
        value: { id: 's', repo: facts.repo.id, namespace: 'default', vm: 'db', members: [{ ...member, ...change }] },
      }) as never;
    expect(setFindings(facts, set({}))).toEqual([]);
    for (const broken of [set({ point: 'gone' }), set({ stateId: 'x' }), set({ disk: 'other' }), set({}, 'other.json')])
      expect(exitOf(setFindings(facts, broken))).toBe(5);
  });
});

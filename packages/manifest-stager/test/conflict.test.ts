import { describe, expect, it } from 'vitest';
import { type Candidate, conflict, freeName, type Neighbour } from '../src/conflict.ts';
import { addonFor, type Consumer, readers } from '../src/consumer.ts';
import type { Mode } from '../src/manifest.ts';

const object = (kind: string, name: string, namespace: string | null = 'n') => ({
  apiVersion: 'v1',
  kind,
  namespace,
  name,
});
const candidate = (name: string, more: Partial<Candidate> = {}): Candidate => ({
  name,
  mode: 'every-boot',
  consumer: 'k3s',
  objects: [],
  ...more,
});
const neighbour = (
  path: string,
  {
    consumer = 'k3s',
    mode = 'every-boot',
    objects = [],
  }: { consumer?: Consumer; mode?: Mode; objects?: Neighbour['objects'] } = {},
): Neighbour => ({
  path,
  addon: mode === 'every-boot' ? addonFor(consumer, path) : null,
  objects,
  unreadable: undefined,
});
const rule = (one: Candidate, others: Neighbour[] = []) => conflict(one, others)?.details.rule;

describe('K102: two files of one AddOn', () => {
  it('are refused, with both files and a free name', () => {
    const found = conflict(candidate('migrate-v0.6.0-x'), [
      neighbour('/s/migrate-v0.5.0-userdb.yaml'),
      neighbour('/s/migrate-v0-6-0-x.yaml'),
    ]);
    expect(found).toMatchObject({ kind: 'refused', hint: 'migrate-v0-6-0-x-2', details: { rule: 'K102' } });
    expect(found?.message).toBe(
      'will not stage migrate-v0.6.0-x: AddOn "migrate-v0" is also /s/migrate-v0.5.0-userdb.yaml',
    );
  });
  it('also in a subfolder and with another extension, but not for readers without AddOns or in first-boot', () => {
    expect(rule(candidate('a'), [neighbour('/m/sub/a.YML')])).toBe('K102');
    expect(rule(candidate('a', { consumer: 'k0s' }), [neighbour('/m/a.b.yaml', { consumer: 'k0s' })])).toBeUndefined();
    expect(rule(candidate('a', { mode: 'first-boot' }), [neighbour('/m/a.yaml')])).toBeUndefined();
    expect(rule(candidate('a'), [neighbour('/f/a.b.yaml', { mode: 'first-boot' })])).toBeUndefined();
    expect(rule(candidate('a'), [neighbour('/m/ab.yaml')])).toBeUndefined();
  });
});

describe('K103: reserved AddOns', () => {
  it.for([
    ['k3s', 'traefik', 'K103'],
    ['k3s', 'coredns.custom', 'K103'],
    ['k3s', 'traefik-config', undefined],
    ['k3s', 'rke2-coredns', undefined],
    ['rke2', 'rke2-coredns', 'K103'],
    ['rke2', 'rke2-coredns-config', undefined],
    ['rke2', 'harvester-x', 'K103'],
    ['rke2', 'traefik', undefined],
    ['none', 'traefik', undefined],
  ] as const)('%s %s: %s', ([consumer, name, answer]) => expect(rule(candidate(name, { consumer }))).toBe(answer));
  it('first-boot files become no AddOns', () =>
    expect(rule(candidate('traefik', { mode: 'first-boot' }))).toBeUndefined());
  it('a free name is proposed', () => expect(conflict(candidate('traefik'), [])?.hint).toBe('my-traefik'));
});

describe('G105: one object in two files', () => {
  const mine = { objects: [object('ConfigMap', 'a'), object('Namespace', 'x', null)] };
  it.for(['k3s', 'kubelet', 'none'] as const)('is refused for %s, in either mode', (consumer) => {
    const others = [
      neighbour('/m/b.yaml', { objects: [object('Secret', 'a')] }),
      neighbour('/m/c.yaml', { objects: [object('Namespace', 'x', null)] }),
    ];
    for (const mode of ['every-boot', 'first-boot'] as const)
      expect(conflict(candidate('z', { ...mine, consumer, mode }), others)).toMatchObject({
        message: 'will not stage z: Namespace x is also in /m/c.yaml',
        details: { rule: 'G105' },
      });
  });
  it('group, kind, namespace and name make an object, its version does not', () => {
    const of = (apiVersion: string) => ({ apiVersion, kind: 'Ingress', namespace: 'n', name: 'i' });
    const one = candidate('z', { objects: [of('networking.k8s.io/v1')] });
    expect(rule(one, [neighbour('/b', { objects: [of('networking.k8s.io/v1beta1')] })])).toBe('G105');
    expect(
      rule(one, [
        neighbour('/b', { objects: [of('extensions/v1beta1'), { ...of('networking.k8s.io/v1'), namespace: 'm' }] }),
      ]),
    ).toBeUndefined();
  });
});

it('a free name is a DNS label that is not taken', () => {
  expect(freeName('A_b..c', () => false)).toBe('a-b-c');
  expect(freeName(`${'x'.repeat(58)}.yz`, (addon) => addon.length < 61)).toHaveLength(61);
});

describe('what consumers read', () => {
  it.for([
    ['k3s', 'a.yaml', true],
    ['k3s', 'a.YML', true],
    ['k3s', 'a.json', true],
    ['k3s', '.a.yaml', false],
    ['k3s', 'a.yaml.bak', false],
    ['kubelet', 'a.yaml.bak', true],
    ['kubelet', '4913', true],
    ['kubelet', '.a.yaml', false],
    ['k0s', '.a.yaml', true],
    ['k0s', 'a.yml', false],
    ['none', 'a.yaml', false],
  ] as const)('%s %s: %s', ([consumer, file, reads]) => expect(readers[consumer].reads(file)).toBe(reads));
  it('no consumer reads a temporary of ours', () => {
    for (const { reads } of Object.values(readers)) expect(reads('.a.yaml.1-ab.tmp')).toBe(false);
  });
});

import { checkName } from '@platter/units/name';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addonOf, fileOf, manifestName, nameOf, naturally, temporaryOf, writerOf } from '../src/manifest.ts';

const valid = [
  'a',
  'abc',
  'migrate-v0.5.0-userdb',
  'migrate-v0.5.0-userdb-add-tenants',
  '01-bootstrap',
  'x.y.z',
  'a_b',
  'A',
];
const invalid = [
  '',
  '.a',
  '-a',
  '_a',
  'a/b',
  '..',
  '../a',
  'a b',
  'a;b',
  'a$b',
  'a`b',
  'a*',
  'a?',
  'ä',
  'a\n',
  'x'.repeat(201),
];

describe('names', () => {
  it.for(valid)('%j is one', (name) => {
    expect(checkName(manifestName, name)).toBe(name);
    expect(nameOf(fileOf(name))).toBe(name);
  });
  it.for(invalid)('%j is none', (name) => {
    expect(() => checkName(manifestName, name)).toThrow('is not a manifest name');
    expect(nameOf(fileOf(name))).toBeUndefined();
  });
  it('200 bytes are a name, and its temporary fits a directory entry', () => {
    const name = checkName(manifestName, 'x'.repeat(200));
    expect(temporaryOf(name, { pid: 4_194_304, random: 'abcdefabcdef' }).length).toBeLessThanOrEqual(255);
  });
});

describe('temporaries', () => {
  it('begin with a dot, end in .tmp, and say who wrote them', () => {
    const file = temporaryOf('x.y', { pid: 17, random: '0af' });
    expect([file, writerOf(file)]).toEqual(['.x.y.yaml.17-0af.tmp', 17]);
  });
  it.for([
    '.x.yaml.swp',
    '.x.yaml.17.tmp',
    'x.yaml.17-ab.tmp',
    '.x.yml.17-ab.tmp',
    '.yaml.17-ab.tmp',
    '.x.yaml.a-ab.tmp',
    '..yaml.1-a.tmp',
  ])('%j is not ours', (file) => expect(writerOf(file)).toBeUndefined());
});

it.for([
  ['a.yaml', 'a'],
  ['migrate-v0.5.0-userdb.yaml', 'migrate-v0'],
  ['migrate-v0.6.0-x.yaml', 'migrate-v0'],
  ['migrate-0-6-userdb.yaml', 'migrate-0-6-userdb'],
  ['/var/lib/rancher/k3s/server/manifests/traefik.yaml', 'traefik'],
  ['/m/sub/traefik.yml', 'traefik'],
  ['a.b.c.d.json', 'a'],
  ['A.YAML', 'A'],
  ['a_b.yaml', 'a_b'],
  ['01-bootstrap.yaml', '01-bootstrap'],
  ['x.y.z.yaml', 'x'],
  ['rke2-coredns.yaml', 'rke2-coredns'],
  ['rke2-coredns-config.yaml', 'rke2-coredns-config'],
  ['harvester-x.yaml', 'harvester-x'],
  ['noextension', 'noextension'],
  ['.hidden.yaml', ''],
  ['v1.yaml', 'v1'],
  ['v1.10.yaml', 'v1'],
  ['/a.b/c.yaml', 'c'],
  ['a-.yaml', 'a-'],
] as const)('the AddOn of %s is %s', ([file, addon]) => expect(addonOf(file)).toBe(addon));

describe('natural order', () => {
  it.for([
    ['v0.9', 'v0.10'],
    ['a', 'a1'],
    ['01', '1'],
    ['1', '2'],
    ['a-b', 'a1'],
    ['a2b', 'a10a'],
    ['x', 'x-1'],
    ['1', 'a'],
    ['A', 'a'],
  ] as const)('%s comes before %s', ([first, second]) => {
    expect([naturally(first, second), naturally(second, first)].map(Math.sign)).toEqual([-1, 1]);
  });
  it('law: it is a total order', () => {
    const name = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', '-', '.'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        expect(Math.sign(naturally(a, b)) + Math.sign(naturally(b, a))).toBe(0);
        expect(naturally(a, b) === 0).toBe(a === b);
        if (naturally(a, b) < 0 && naturally(b, c) < 0) expect(naturally(a, c)).toBeLessThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});

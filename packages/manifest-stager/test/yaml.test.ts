import { describe, expect, it } from 'vitest';
import { readObjects } from '../src/objects.ts';

const read = (text: string | Uint8Array) =>
  readObjects(typeof text === 'string' ? new TextEncoder().encode(text) : text);
const object = (rest: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n${rest}`;
const value = (word: string) => read(object(`x: ${word}\n`)).items[0]?.value.x;

describe('plain scalars are what go-yaml 2 makes of them', () => {
  it.for([
    ['on', true],
    ['Yes', true],
    ['y', true],
    ['TRUE', true],
    ['off', false],
    ['n', false],
    ['yEs', 'yEs'],
    ['~', null],
    ['Null', null],
    ['', null],
    ['12', 12],
    ['-0x1F', -31],
    ['0b101', 5],
    ['0o17', 15],
    ['010', 8],
    ['089', 89],
    ['1_000', 1000],
    ['1.10', 1.1],
    ['.5', 0.5],
    ['1.', 1],
    ['12e3', 12000],
    ['12:30', '12:30'],
    ['1:30:45', '1:30:45'],
    ['2001-12-14', '2001-12-14'],
    ['2001-12-14T21:59:43.10-05:00', '2001-12-14T21:59:43.10-05:00'],
    ['1.2.3', '1.2.3'],
    ['v1', 'v1'],
    ['1e', '1e'],
    ['"on"', 'on'],
    ["'12'", '12'],
    ['!!str on', 'on'],
    ['!!int "7"', 7],
    ['=', '='],
  ] as const)('%s', ([word, meant]) => expect(value(word)).toEqual(meant));
});

describe('streams', () => {
  it('skips documents of comments, flattens lists, and keeps the order', () => {
    const list =
      'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n- {apiVersion: v1, kind: Service, metadata: {name: c, namespace: ns}}';
    const { items, findings } = read(`# none\n---\n${object('')}---\n# nothing\n---\n${list}\n---\n`);
    expect(findings).toEqual([]);
    expect(items.map(({ kind, namespace, name }) => [kind, namespace, name])).toEqual([
      ['ConfigMap', null, 'a'],
      ['Secret', null, 'b'],
      ['Service', 'ns', 'c'],
    ]);
    expect(items.map((item) => item.at(['metadata', 'name']).line)).toEqual([5, 12, 13]);
  });
  it('reads JSON, also with tabs', () => {
    const json = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }, null, '\t');
    expect(read(json).items[0]).toMatchObject({ kind: 'Pod', name: 'p' });
  });
  it('knows merge keys and anchors', () => {
    const { items } = read(
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nd: &d {x: 1, z: 3}\ne: {<<: *d, w: 2}\n`,
    );
    expect(items[0]?.value.e).toEqual({ x: 1, w: 2, z: 3 });
  });
  it('keeps a byte order mark and takes it for none of the content', () => {
    expect(read(`\ufeff${object('')}`).items[0]?.name).toBe('a');
  });
  it('survives keys that JavaScript knows', () => {
    const { items, findings } = read(
      'apiVersion: constructor/v1\nkind: __proto__\nmetadata: {name: constructor, labels: {__proto__: a}}\n',
    );
    expect([items[0]?.kind, items[0]?.name, findings]).toEqual(['__proto__', 'constructor', []]);
  });
});

const bomb = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(10)}]\nc: &c [${'*b,'.repeat(10)}]\nd: [${'*c,'.repeat(10)}]\n`;

describe('G101', () => {
  it.for([
    ['empty', '', 1, 'no object'],
    ['comments only', '# a\n---\n# b\n', 1, 'no object'],
    ['not YAML', 'a: [1\nb: 2\n', 2, ''],
    ['a tab for indentation', 'a:\n\tb: 1\n', 2, ''],
    ['a duplicate key', object('data: {}\ndata: {}\n'), 5, 'unique'],
    ['a string', 'hello\n', 1, 'not an object'],
    ['a list', '- a\n- b\n', 1, 'not an object'],
    ['a list with a string in it', 'kind: List\nitems:\n- a\n', 3, 'not an object'],
    ['an unknown alias', object('x: *nobody\n'), 1, ''],
    ['aliases that multiply', bomb, 1, 'alias'],
    ['nesting without end', `a: ${'['.repeat(20_000)}`, 1, 'nested too deeply'],
    ['infinity', object('x: .inf\n'), 4, 'JSON'],
    ['a byte order mark inside', object('x: "\ufeff"\n'), 4, 'control'],
    ['a control character', object('x: "\u0007"\n'), 4, 'control'],
  ] as const)('%s', ([, text, line, message]) => {
    const [first] = read(text).findings;
    expect(first).toMatchObject({ rule: 'G101', line, object: null });
    expect(first?.message).toContain(message);
  });
  it('not UTF-8', () => expect(read(new Uint8Array([0x61, 0xff])).findings[0]?.message).toContain('UTF-8'));
  it('a hundred aliases are no bomb', () => {
    expect(read(object(`x: &x 1\ny: [${'*x,'.repeat(99)}]\n`)).findings).toEqual([]);
  });
});

import { checkName, dnsLabel, dnsSubdomain, type NameRule } from '@platter/units/name';
import { dig, entriesOf, groupOf, type Item, keyOf } from '../objects.ts';
import type { Path } from '../yaml.ts';
import { containers, listed, metadataPaths } from './pod.ts';
import { each, quoted, type Rule, type Spot, type Subject } from './rule.ts';

const always = () => true;
type Part = Omit<Spot, 'item'>;

/** What the API server takes for names of the RBAC group (ValidatePathSegmentName). */
const pathSegment: NameRule = {
  what: 'path segment',
  pattern: /^(?!\.{1,2}$)[^/%]+$/,
  max: 253,
  rule: 'no "/" and "%", and neither "." nor ".."',
};

function broken(rule: NameRule, name: string): string | undefined {
  try {
    checkName(rule, name);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function identified(item: Item): Part[] {
  const wanted = { apiVersion: item.apiVersion, kind: item.kind, 'metadata.name': nameOf(item) };
  return Object.entries(wanted).flatMap(([field, value]) =>
    value === ''
      ? [
          {
            message: `${quoted(item)} has no ${field} that is a string`,
            hint: `give it ${field}`,
            path: field.split('.'),
          },
        ]
      : [],
  );
}

/** An object with generateName is another rule's. */
const nameOf = (item: Item): string => item.name || String(dig(item.value, 'metadata', 'generateName') ?? '');

function wellNamed(item: Item): Part[] {
  const rule = groupOf(item) === 'rbac.authorization.k8s.io' ? pathSegment : dnsSubdomain;
  const parts: [string, string | undefined][] = [
    ['name', item.name === '' ? undefined : broken(rule, item.name)],
    ['namespace', namespaceFault(item)],
  ];
  return parts.flatMap(([field, message]) =>
    message === undefined
      ? []
      : [
          {
            message: `the ${field} of ${quoted(item)}: ${message}`,
            hint: `choose another ${field}`,
            path: ['metadata', field],
          },
        ],
  );
}

function namespaceFault(item: Item): string | undefined {
  const said = dig(item.value, 'metadata', 'namespace');
  if (said === undefined || said === null || said === '') return undefined;
  return typeof said === 'string' ? broken(dnsLabel, said) : `${JSON.stringify(said)} is not a string`;
}

function generated(item: Item): Part[] {
  if (typeof dig(item.value, 'metadata', 'generateName') !== 'string') return [];
  const message = `${item.kind} has generateName: every apply makes another object`;
  return [{ message, hint: 'give it metadata.name', path: ['metadata', 'generateName'] }];
}

function twice({ items }: Subject): Spot[] {
  const first = new Map<string, Item>();
  return items.flatMap((item) => {
    const seen = first.get(keyOf(item));
    first.set(keyOf(item), seen ?? item);
    if (seen === undefined || item.name === '') return [];
    return [
      {
        item,
        message: `${quoted(item)} is in the file twice, first in line ${seen.at().line}`,
        hint: 'keep one of them',
      },
    ];
  });
}

/** Values the API takes as strings only. An explicit null is taken for an empty string. */
function strings(item: Item): Part[] {
  const maps = metadataPaths(item).flatMap((path) => [
    [...path, 'labels'],
    [...path, 'annotations'],
  ]);
  const values = maps.flatMap((path) =>
    entriesOf(dig(item.value, ...path)).map(([key, value]) => ({ path: [...path, key], value })),
  );
  const env = containers(item).flatMap(({ path }) => listed(item, [...path, 'env']));
  const all = [...values, ...env.map(({ path, value }) => ({ path: [...path, 'value'], value: value.value }))];
  return all.flatMap(({ path, value }) => notString(item, path, value));
}

function notString(item: Item, path: Path, value: unknown): Part[] {
  if (value === undefined || value === null || typeof value === 'string') return [];
  const what = typeof value === 'object' ? 'a collection' : `the ${typeof value} ${value}`;
  const message = `${path.join('.')} of ${quoted(item)} is ${what}, not a string: the API refuses it`;
  return [{ message, hint: 'put it in quotes', path }];
}

/** Rules for every reader. G101 is what readObjects finds, G105 what two files do to each other. */
export const general: readonly Rule[] = [
  { id: 'G102', applies: always, check: each((item) => [...identified(item), ...wellNamed(item)]) },
  { id: 'G103', applies: always, check: each(generated) },
  { id: 'G104', applies: always, check: twice },
  { id: 'G106', applies: always, check: each(strings) },
];

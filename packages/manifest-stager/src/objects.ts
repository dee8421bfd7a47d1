import { offsetOf, type Path, readStream } from './yaml.ts';

/** A finding about a file's content. Lines and columns count from 1. */
export interface Finding {
  rule: string;
  line: number;
  column: number;
  /** Kind and name; null when it is about the file. */
  object: string | null;
  message: string;
  hint: string;
}

/** What identifies an object, as far as it says. */
export interface Identity {
  apiVersion: string;
  kind: string;
  namespace: string | null;
  name: string;
}

/** An object of a manifest; absent parts of its identity are empty. */
export interface Item extends Identity {
  value: Record<string, unknown>;
  /** Where a part of it is. */
  at(path?: Path): { line: number; column: number };
}

/** What a manifest holds. Findings are rule G101: it cannot be read. */
export interface Content {
  items: Item[];
  findings: Finding[];
}

const unreadable = (message: string, at = { line: 1, column: 1 }): Finding => ({
  rule: 'G101',
  ...at,
  object: null,
  message,
  hint: 'give YAML or JSON in UTF-8 with at least one Kubernetes object',
});

/** The objects of a manifest, as Kubernetes reads them: lists flattened, documents of comments left out. */
export function readObjects(content: Uint8Array): Content {
  const text = decoded(content);
  if (text === undefined) return { items: [], findings: [unreadable('the content is not UTF-8')] };
  const { documents, wrong, place } = readStream(text);
  const findings = wrong.map(({ message, ...at }) => unreadable(message, at));
  const items: Item[] = [];
  for (const { document, value } of documents)
    for (const path of isList(value) ? value.items.map((_, n) => ['items', n]) : [[]]) {
      const at = (more: Path = []) => place(offsetOf(document, [...path, ...more]));
      const object = dig(value, ...path);
      if (isMap(object)) items.push({ ...identity(object), value: object, at });
      else findings.push(unreadable('a document is not an object', at()));
    }
  if (items.length + findings.length === 0) findings.push(unreadable('there is no object in it'));
  return { items, findings };
}

/** The text without its byte order mark; undefined when it is not UTF-8. */
function decoded(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** The value at a path; undefined when any part of it is missing or of another shape. */
export function dig(value: unknown, ...path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<string | number, unknown> | undefined | null)?.[key],
    value,
  );
}

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The entries of a map; none of anything else. */
export const entriesOf = (value: unknown): [string, unknown][] => (isMap(value) ? Object.entries(value) : []);
/** The elements of a list; none of anything else. */
export const elementsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const isList = (value: unknown): value is { items: unknown[] } =>
  isMap(value) && typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items);

const word = (value: unknown): string => (typeof value === 'string' ? value : '');

function identity(object: Record<string, unknown>): Identity {
  const namespace = dig(object, 'metadata', 'namespace');
  return {
    apiVersion: word(object.apiVersion),
    kind: word(object.kind),
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : null,
    name: word(dig(object, 'metadata', 'name')),
  };
}

/** The API group; empty for the core's. */
export const groupOf = ({ apiVersion }: Identity): string =>
  apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';

/** What makes two objects the same one: group, kind, namespace and name. */
export const keyOf = (identity: Identity): string =>
  [groupOf(identity), identity.kind, identity.namespace ?? '', identity.name].join('/');

/** An object for people: `Job appliance/report`. */
export const labelOf = ({ kind, namespace, name }: Identity): string =>
  `${kind || 'object'} ${namespace === null ? '' : `${namespace}/`}${name || '(no name)'}`;

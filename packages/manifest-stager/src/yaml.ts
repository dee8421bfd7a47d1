import { type Document, LineCounter, type ParsedNode, parseAllDocuments, type ScalarTag, type Tags } from 'yaml';

/** A document of a stream as Kubernetes reads it: go-yaml 2 (sigs.k8s.io/yaml), then JSON. */
interface Read {
  document: Document.Parsed;
  value: unknown;
}
/** What is wrong with a stream, and where (from 1). */
interface Wrong {
  message: string;
  line: number;
  column: number;
}
export interface Stream {
  documents: Read[];
  wrong: Wrong[];
  place(offset: number): { line: number; column: number };
}

const scalar = (tag: string, test: RegExp, resolve: ScalarTag['resolve']): ScalarTag => ({
  tag: `tag:yaml.org,2002:${tag}`,
  default: true,
  test,
  resolve,
});

/** How go-yaml 2.4 resolves plain scalars (resolve.go): YAML 1.1 booleans, and dates and base 60 stay strings. */
const scalars: ScalarTag[] = [
  scalar('null', /^(~|null|Null|NULL|)$/, () => null),
  scalar('bool', /^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/, () => true),
  scalar('bool', /^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/, () => false),
  scalar('int', /^[-+]?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)$/, (text) => number(text)),
  scalar('float', /^[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$/, (text) => number(text)),
  scalar('float', /^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$/, (text, onError) => {
    onError(`${text} cannot be said in JSON`);
    return null;
  }),
];

const radixes: Record<string, number> = { '0x': 16, '0o': 8, '0b': 2 };

/** A leading zero is octal where it can be; underscores are dropped. */
function number(text: string): number {
  const [, sign = '', digits = ''] = /^([-+]?)(.*)$/.exec(text.replaceAll('_', '')) ?? [];
  const radix = radixes[digits.slice(0, 2).toLowerCase()];
  const size = radix
    ? Number.parseInt(digits.slice(2), radix)
    : /^0[0-7]+$/.test(digits)
      ? Number.parseInt(digits, 8)
      : Number(digits);
  return sign === '-' ? -size : size;
}

/** YAML allows no other control characters, and no byte order mark inside. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unprintable = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]/u;

/** Reads a stream of YAML or JSON; aliases may be expanded 100 times in each document. */
export function readStream(text: string): Stream {
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: Math.max(col, 1) };
  };
  const documents = parse(text, lines);
  const wrong = documents.flatMap(({ errors }) =>
    errors.map(({ message, pos }) => ({ message: spoken(message), ...place(pos[0]) })),
  );
  const control = unprintable.exec(text);
  if (control) wrong.unshift({ message: 'control characters are not allowed', ...place(control.index) });
  if (wrong.length > 0) return { documents: [], wrong, place };
  const fail = (document: Document.Parsed, message: string) => wrong.push({ message, ...place(document.range[0]) });
  return { documents: documents.flatMap((document) => readDocument(document, fail)), wrong, place };
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed[] {
  const customTags = (tags: Tags) => [...tags, ...scalars];
  const options = { version: '1.1', schema: 'failsafe', merge: true, prettyErrors: false } as const;
  const documents = parseAllDocuments(text, { ...options, customTags, lineCounter });
  return Array.isArray(documents) ? documents : [];
}

/** A document as JSON; one of comments only is none. */
function readDocument(document: Document.Parsed, fail: (document: Document.Parsed, message: string) => void): Read[] {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value === null ? [] : [{ document, value }];
  } catch (error) {
    fail(document, spoken((error as Error).message));
    return [];
  }
}

/** The parser is recursive: what it says when it runs out of stack is no help. */
const spoken = (message: string) => (/stack/i.test(message) ? 'it is nested too deeply' : message);

export type Path = readonly (string | number)[];

/** Where the value at a path is, or its key when it has one; the nearest thing above it when it is not there. */
export function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true) as ParsedNode | undefined;
    const offset = childOffset(parent, path[length - 1] as string | number);
    if (offset !== undefined) return offset;
  }
  return document.contents?.range[0] ?? document.range[0];
}

function childOffset(parent: unknown, key: string | number): number | undefined {
  const { items } = (parent ?? {}) as { items?: unknown[] };
  if (!Array.isArray(items)) return undefined;
  type Ranged = { range?: [number, number, number] | null };
  if (typeof key === 'number') return (items[key] as Ranged | undefined)?.range?.[0];
  const pair = items.find((item) => String((item as { key?: { value?: unknown } }).key?.value) === key);
  return (pair as { key?: Ranged } | undefined)?.key?.range?.[0];
}

import type { NameRule } from '@platter/units/name';

/** When a manifest takes effect; locks are taken in this order. */
export const modes = ['every-boot', 'first-boot'] as const;
export type Mode = (typeof modes)[number];

/** The folder of each mode; the first is y-cluster's, whose image builder empties it into the consumer's folder. */
export const folders: Readonly<Record<Mode, string>> = {
  'every-boot': 'manifests-staging',
  'first-boot': 'manifests-first-boot',
};

/** y-cluster's rule for the names of manifests. */
export const manifestName: NameRule = {
  what: 'manifest name',
  pattern: /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/,
  max: 200,
  rule: 'letters, digits, ".", "_" and "-", beginning with a letter or digit',
};

export const fileOf = (name: string): string => `${name}.yaml`;

/** The name of the manifest in a file; undefined when the file is not `<name>.yaml`. */
export function nameOf(file: string): string | undefined {
  const name = file.endsWith('.yaml') ? file.slice(0, -'.yaml'.length) : '';
  return manifestName.pattern.test(name) && name.length <= manifestName.max ? name : undefined;
}

/** Who writes a temporary: dotted and not ending in .yaml, so that no consumer reads it. `random` in hex. */
export const temporaryOf = (name: string, { pid, random }: { pid: number; random: string }): string =>
  `.${fileOf(name)}.${pid}-${random}.tmp`;

/** The pid that wrote a temporary of ours; undefined for any other file. */
export function writerOf(file: string): number | undefined {
  const [, name, pid] = /^\.(.+)\.(\d+)-[0-9a-f]+\.tmp$/.exec(file) ?? [];
  return name !== undefined && nameOf(name) !== undefined ? Number(pid) : undefined;
}

/** The AddOn that k3s makes of a file: its base name up to the first dot (k3s pkg/deploy/controller.go). */
export const addonOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1).split('.', 1)[0] ?? '';

const tokens = (name: string): string[] => name.match(/\d+|\D/g) ?? [];
const isNumber = (token: string) => /^\d/.test(token);
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function byToken(a: string, b: string): number {
  if (!isNumber(a) || !isNumber(b)) return byBytes(a, b);
  return Number(BigInt(a) > BigInt(b)) - Number(BigInt(a) < BigInt(b));
}

/** Natural order of names: runs of digits compare as numbers, all else by bytes, and so do ties (`1` and `01`). */
export function naturally(a: string, b: string): number {
  const [left, right] = [tokens(a), tokens(b)];
  for (const [n, token] of left.entries()) {
    const other = right[n];
    if (other === undefined) return 1;
    const order = byToken(token, other);
    if (order !== 0) return order;
  }
  return left.length < right.length ? -1 : byBytes(a, b);
}

import { parseInstant } from '@platter/units/instant';
import { Invalid } from '@platter/units/invalid';
import { checkName, type NameRule } from '@platter/units/name';

/** A VM, or one of its disks. */
export interface Place {
  namespace: string;
  vm: string;
  disk: string | null;
}
/** A place at one moment; without a disk it is a set. */
export interface Address extends Place {
  ref: string;
}
/** What a REF may mean: an id with the moment it stands for, oldest first. */
export interface Candidate {
  id: string;
  capturedAt: string;
}

const rule = (what: string, max: number): NameRule => ({
  what,
  pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  max,
  rule: 'lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
});
const namespaceRule = rule('namespace', 63);
const vmRule = rule('VM name', 253);
const diskRule = rule('disk name', 63);

/** A disk's name; Invalid with the rule. */
export const parseDiskName = (text: string): string => checkName(diskRule, text);

function isValid(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    if (error instanceof Invalid) return false;
    throw error;
  }
}

/** Whether a disk can have a name that somebody else gave it. */
export const isDiskName = (name: string): boolean => isValid(() => parseDiskName(name));

/** Whether a VM can have the names that somebody else gave it. */
export const isVmName = ({ namespace, vm }: Pick<Place, 'namespace' | 'vm'>): boolean =>
  isValid(() => [checkName(namespaceRule, namespace), checkName(vmRule, vm)]);

/** `[NS/]VM`, or `NS/VM/DISK`; the namespace is `default` unless said. Invalid with the rule. */
export function parsePlace(text: string): Place {
  const parts = text.split('/');
  if (parts.length > 3) throw new Invalid(`${JSON.stringify(text)} is not [NS/]VM or NS/VM/DISK`);
  const [namespace, vm, disk] = parts.length === 1 ? ['default', text] : parts;
  return {
    namespace: checkName(namespaceRule, namespace ?? ''),
    vm: checkName(vmRule, vm ?? ''),
    disk: disk === undefined ? null : checkName(diskRule, disk),
  };
}

/** `[NS/]VM@REF` or `NS/VM/DISK@REF`. Invalid with the rule. */
export function parseAddress(text: string): Address {
  const at = text.indexOf('@');
  const ref = text.slice(at + 1);
  if (at < 0 || !isRef(ref)) throw new Invalid(`${JSON.stringify(text)} is not [NS/]VM[/DISK]@REF`);
  return { ...parsePlace(text.slice(0, at)), ref };
}

/** `NS/VM/DISK@FROM..TO`. Invalid with the rule. */
export function parseRun(text: string): { from: string; to: Address & { disk: string } } {
  const [at, dots] = [text.indexOf('@'), text.indexOf('..')];
  const from = text.slice(at + 1, dots);
  const parts = text.slice(0, at).split('/').length;
  if (dots < at || parts !== 3 || !isId(from)) throw new Invalid(`${JSON.stringify(text)} is not NS/VM/DISK@FROM..TO`);
  const to = parseAddress(`${text.slice(0, at)}@${text.slice(dots + 2)}`);
  return { from, to: { ...to, disk: to.disk as string } };
}

/** Ids of our own, and of peers whose captures were imported. */
export const isId = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text);

const isInstant = (text: string): boolean => /^\d{4}-\d\d-\d\dT/.test(text);
const isRef = (text: string): boolean => isId(text) || isInstant(text);

export const placeName = ({ namespace, vm, disk }: Place): string =>
  [namespace, vm, ...(disk === null ? [] : [disk])].join('/');
export const addressName = (address: Address): string => `${placeName(address)}@${address.ref}`;

/** The ids a REF can stand for: one when it is clear, none or several when it is not. */
export function matching(ref: string, candidates: readonly Candidate[]): string[] {
  const ids = candidates.map(({ id }) => id);
  if (ids.includes(ref)) return [ref];
  if (ref === 'latest') return ids.slice(-1);
  if (!isInstant(ref)) return ref.length < 8 ? [] : [...new Set(ids.filter((id) => id.startsWith(ref)))];
  const until = parseInstant(ref);
  const past = candidates.filter(({ capturedAt }) => Date.parse(capturedAt) <= until);
  return past
    .sort((a, b) => Date.parse(a.capturedAt) - Date.parse(b.capturedAt))
    .slice(-1)
    .map(({ id }) => id);
}

/** `NAME=VALUE`; Invalid names the form. */
export function parsePair(text: string, form: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new Invalid(`${JSON.stringify(text)} is not ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

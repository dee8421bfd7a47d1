import { hash } from 'node:crypto';
import type { Kind, Manifest } from './manifest-kinds.ts';
import { shapes } from './manifest-shapes.ts';
import { misfit } from './shape.ts';

/** Why bytes are no manifest: not the bytes we wrote, or of a newer format. */
export interface Fault {
  code: 'corrupt' | 'unsupported';
  message: string;
}
export type Reading<T> = { value: T; fault: null } | { value: null; fault: Fault };

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

/** The only bytes a manifest may have: two blanks, keys sorted at every level, one newline (spec 2.2). */
export const manifestText = (value: object): string => `${JSON.stringify(sorted(value), null, 2)}\n`;

const selfOf = ({ self: _, ...rest }: Record<string, unknown>): string => hash('sha256', manifestText(rest));

/** A manifest with its own digest. */
export const seal = <T extends object>(value: T): T & { self: string } => ({
  ...value,
  self: selfOf(value as Record<string, unknown>),
});

const corrupt = (message: string): Reading<never> => ({ value: null, fault: { code: 'corrupt', message } });

function newer(value: unknown): string | null {
  const format = (value as { format?: unknown } | null)?.format;
  const number = typeof format === 'string' ? /^backup-chain\/([1-9]\d*)$/.exec(format)?.[1] : undefined;
  return number !== undefined && Number(number) > 1 ? String(format) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a manifest; anything but the very bytes `manifestText` gives, with a right `self`, is a fault. */
export function readManifest<K extends Kind>(kind: K, text: string): Reading<Manifest<K>> {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return corrupt('it is not JSON');
  const format = newer(value);
  if (format !== null) return { value: null, fault: { code: 'unsupported', message: `its format ${format} is newer` } };
  if (manifestText(value) !== text) return corrupt('its bytes are not the ones that were written');
  const { self } = value as { self?: unknown };
  if (self !== selfOf(value as Record<string, unknown>)) return corrupt('its content does not have the digest it says');
  const wrong = misfit(value, shapes[kind]);
  return wrong === null ? { value: value as Manifest<K>, fault: null } : corrupt(`its ${wrong} cannot be right`);
}

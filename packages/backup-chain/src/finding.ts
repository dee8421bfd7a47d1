import { Failure } from '@platter/host/failure';

/** How a finding ends a verb; `noted` does not. */
export type Code = 'corrupt' | 'unsupported' | 'refused' | 'noted';

/** One thing that was found: a broken rule about an object, and what depends on it. */
export interface Finding {
  code: Code;
  severity: 'info' | 'warn' | 'error';
  rule: string;
  object: string;
  at: number | null;
  message: string;
  dependents: string[];
  fix: string[];
}

type Notes = Partial<Pick<Finding, 'at' | 'dependents' | 'fix' | 'severity'>>;

/** A broken rule; an error unless its code is `noted`. */
export function finding(
  code: Code,
  [rule, object, message]: readonly [string, string, string],
  notes: Notes = {},
): Finding {
  const severity = code === 'noted' ? 'warn' : 'error';
  return { code, severity, rule, object, at: null, message, dependents: [], fix: [], ...notes };
}

const exits = { corrupt: 5, unsupported: 6, refused: 3, noted: 0 } as const;
const ranks: readonly Code[] = ['corrupt', 'unsupported', 'refused'];

/** The worst code: 5 before 6 before 3. */
export const worst = (findings: readonly Finding[]): Code =>
  ranks.find((code) => findings.some((one) => one.code === code)) ?? 'noted';

export const exitOf = (findings: readonly Finding[]): number => exits[worst(findings)];

/** A finding as people read it. */
export const findingText = ({ severity, rule, object, at, message }: Finding): string =>
  `  ${severity === 'error' ? 'x' : '!'}  ${object}${at === null ? '' : ` at ${at}`}: ${message}${rule === '' ? '' : `  (${rule})`}`;

/** Ends the verb when something stands in the way: the first of the worst findings, and how many more there are. */
export function refuse(findings: readonly Finding[], what: string, hint?: string): void {
  const code = worst(findings);
  if (code === 'noted') return;
  const [first, ...more] = findings.filter((one) => one.code === code);
  const by = first
    ? `${first.object}${first.at === null ? '' : ` at ${first.at}`}: ${first.message} (${first.rule})`
    : '';
  const details = { by, ...(more.length > 0 ? { also: `${more.length} more; backup-chain validate tells all` } : {}) };
  throw new Failure(code, what, { details, ...(hint === undefined ? {} : { hint }) });
}

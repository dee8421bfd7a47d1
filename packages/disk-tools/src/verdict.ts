import { Failure } from '@platter/host/failure';
import type { Finding } from '@platter/qcow2/finding';

/** A finding that forbids to read on. */
export const stands = ({ verdict }: Finding): boolean => verdict !== 'warn';

/** Rules about text that names another file or URL. */
const referring = new Set(['Q4', 'Q5', 'Q16', 'Q19']);
const external = (finding: Finding) => referring.has(finding.rule) || /external data file/.test(finding.message);

const repair = 'repair a copy: qemu-img check -r all COPY';
const standalone = 'ask the sender for a standalone image; disk-tools inspect shows everything it refers to';

type Explained = Pick<Finding, 'rule' | 'field' | 'message'> & { at?: number | undefined };

/** Where and what, for people: `header byte 8 (rule Q4): backing file "/etc/shadow"`. */
export function explained({ rule, field, at, message }: Explained): string {
  const place = at === undefined ? field : rule.startsWith('Q') ? `header byte ${at}` : `${field} at byte ${at}`;
  return `${place} (rule ${rule}): ${message}`;
}

/**
 * The failure that findings amount to, or null when all of them are only worth a word: one that refuses beats those
 * that say the image is damaged. `what` begins the message: `will not use a.qcow2`.
 */
export function failureOf(findings: readonly Finding[], what: string): Failure | null {
  const standing = findings.filter(stands);
  const first = standing.find(({ verdict }) => verdict === 'refuse') ?? standing[0];
  if (first === undefined) return null;
  const kind = first.verdict === 'refuse' ? 'refused' : 'corrupt';
  const why = external(first) ? 'it refers to another file' : first.message;
  const shown = standing.slice(0, 8).map(explained).join('\n');
  const hint = kind === 'refused' ? (external(first) ? standalone : undefined) : repair;
  return new Failure(kind, `${what}: ${why}`, { details: { at: shown }, ...(hint ? { hint } : {}) });
}

/** What is worth a word. */
export const warningsOf = (findings: readonly Finding[]): string[] =>
  findings.filter((finding) => !stands(finding)).map(({ rule, message }) => `${message} (rule ${rule})`);

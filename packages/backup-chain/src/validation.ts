import { exitOf, type Finding, findingText } from './finding.ts';
import type { Level, Validated } from './validating.ts';

/** Whether nothing was found that ends a verb. */
export const isClean = (findings: readonly Finding[]): boolean => exitOf(findings) === 0;

/** The record of a validation. */
export const validationRecord = ({ name, findings, links, bytesRead }: Validated, level: Level) => ({
  apiVersion: 'platter.dev/v1' as const,
  kind: 'Validation' as const,
  metadata: { name },
  level,
  ok: isClean(findings),
  exit: exitOf(findings),
  layers: links,
  links,
  bytesRead,
  findings,
});

/** A validation as people read it. */
export function validationText({ name, findings, story }: Validated, named: boolean): string[] {
  const verdict = isClean(findings) ? 'ok ' : 'bad';
  return [`${verdict}  ${named ? `${name}  ` : ''}${story}`, ...findings.map(findingText)];
}

import type { FindingRecord, VerificationRecord } from '../records/health.ts';
import { columns, gap } from './columns.ts';

const how = { structure: null, content: 'content', recorded: 'digest recorded' };

export function verificationText({ ref, ok, checked, problems }: VerificationRecord): string[] {
  return [columns(ref, ok ? 'ok' : 'wrong', how[checked]), ...problems.map((problem) => `${gap}${problem}`)];
}

/** What is wrong, and below it the lines that put it right. */
export function findingText({ code, message, fix }: FindingRecord): string[] {
  return [columns(code, message), ...fix.split('\n').map((line) => `${gap}fix${gap}${line}`)];
}

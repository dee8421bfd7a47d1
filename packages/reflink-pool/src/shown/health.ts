import type { VerificationRecord } from '../records/health.ts';
import { columns, gap } from './columns.ts';

const how = { structure: null, content: 'content', recorded: 'digest recorded' };

export function verificationText({ ref, ok, checked, problems }: VerificationRecord): string[] {
  return [columns(ref, ok ? 'ok' : 'wrong', how[checked]), ...problems.map((problem) => `${gap}${problem}`)];
}

import type { Call } from '@platter/command/call';
import type { Finding } from './finding.ts';
import { type LooseWish, openLoose } from './loose.ts';
import type { Link } from './stack.ts';
import { deep, layers, type Thoroughness, told, type Validated } from './validating.ts';
import { isClean } from './validation.ts';

/** Files of a chain that were opened, and what was found so far. */
interface OpenedFiles {
  name: string;
  /** How many there are, opened or not. */
  count: number;
  links: readonly Link[];
  findings: Finding[];
}

/** What the files of a chain come to: each on its own, never their order. */
export async function validateOpened(
  call: Call<unknown>,
  { name, count, links, findings }: OpenedFiles,
  { level, workers, oracle }: Thoroughness,
): Promise<Validated> {
  const validated = { name, findings, links: count, bytesRead: 0, story: layers(count) };
  if (!isClean(findings)) return validated;
  validated.story = `${layers(count)}, ${await told(links)}`;
  if (level === 'deep') findings.push(...(await deep(call, links, { workers, opinion: true })).findings);
  if (!oracle || !isClean(findings)) return validated;
  const { trials } = await import('./oracle.ts');
  findings.push(...(await trials(call, { links, asked: [links.length - 1], workers })));
  return validated;
}

/** Validates loose files as a chain. */
export async function validateLoose(call: Call<unknown>, wish: LooseWish, how: Thoroughness): Promise<Validated> {
  const { links, findings } = await openLoose(call.host, wish);
  return validateOpened(call, { name: wish.files.at(-1) ?? '', count: wish.files.length, links, findings }, how);
}

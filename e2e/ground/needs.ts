import { describe, it } from 'vitest';
import { type GroundName, missing } from './probe.ts';

/** The grounds that must be here: REQUIRE=loop,xfs,... */
const required = (): string[] => (process.env.REQUIRE ?? '').split(',').filter(Boolean);

/** Why a suite on these grounds is skipped, or that it must fail because REQUIRE names one that is missing. */
export function verdict(
  names: readonly GroundName[],
  require = required(),
): { skip: string; fail: boolean } | undefined {
  const reasons = missing(names);
  if (reasons.length === 0) return undefined;
  return { skip: reasons.join('; '), fail: names.some((name) => require.includes(name) && missing([name]).length > 0) };
}

function skipAloud(title: string, reason: string, suite: () => void): void {
  process.stderr.write(`skipped: ${title}: ${reason}\n`);
  describe.skip(`${title} [${reason}]`, suite);
}

/**
 * `describe` for a suite that stands on real grounds: `needs('root', 'xfs')('a pool on XFS', () => ...)`.
 * Where one is missing the suite is skipped aloud, and fails when REQUIRE names the missing one.
 */
export function needs(...names: GroundName[]): (title: string, suite: () => void) => void {
  const found = verdict(names);
  return (title, suite) => {
    if (!found) describe(title, suite);
    else if (found.fail) describe(title, () => it('stands on its ground', () => Promise.reject(new Error(found.skip))));
    else skipAloud(title, found.skip, suite);
  };
}

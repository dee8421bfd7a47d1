import { chainOf, setFindings, tipsOf } from './chain.ts';
import { type Expiry, expire, type Pinned, type Rules } from './expire.ts';
import { type Finding, finding } from './finding.ts';
import type { BackupSet } from './manifest-kinds.ts';
import type { VmFacts } from './repository.ts';
import { isClean } from './validation.ts';
import { setsInOrder } from './view.ts';

/** The pins on sets; one whose file is not named after it pins nobody knows what. */
function pinnedIn({ pins }: VmFacts): { pinned: Pinned[]; findings: Finding[] } {
  const pinned: Pinned[] = [];
  const findings: Finding[] = [];
  for (const { name: file, path, value } of pins) {
    const tail = `.${value?.name}.json`;
    if (value === null) continue;
    if (file.endsWith(tail)) pinned.push({ ...value, set: file.slice(0, -tail.length) });
    else findings.push(finding('corrupt', ['C11', path, `it is the pin ${value.name}`]));
  }
  return { pinned, findings };
}

/** What is wrong with sets: themselves, or the chains that they need. */
function wrongWith(facts: VmFacts, sets: readonly BackupSet[]): Finding[] {
  const own = facts.sets.filter(({ value }) => value !== null && sets.includes(value));
  const chains = facts.disks.flatMap((disk) => {
    const members = sets.flatMap((set) => set.members.filter((one) => one.disk === disk.name));
    const tips = tipsOf(
      disk,
      members.map(({ point }) => point),
    );
    return tips.flatMap((id) => chainOf({ facts, disk }, id).findings);
  });
  return [...own.flatMap((leaf) => setFindings(facts, leaf)), ...chains].filter(({ code }) => code !== 'noted');
}

/** Which sets go and which stay, and why. */
export function expiryOf(facts: VmFacts, { policy, now }: Pick<Rules, 'policy' | 'now'>): Expiry {
  const sets = setsInOrder(facts).map((set) => ({ ...set, isComplete: () => isClean(wrongWith(facts, [set])) }));
  return expire(sets, { policy, pins: pinnedIn(facts).pinned, now });
}

/** The sets of these ids. */
export const setsOf = ({ sets }: VmFacts, ids: readonly string[]): BackupSet[] =>
  sets.flatMap(({ value }) => (value !== null && ids.includes(value.id) ? [value] : []));

/** What keeps a VM from being pruned: damage in what is kept, a pin of nothing, or no set that is complete. */
export function standsInTheWay(facts: VmFacts, { kept }: Expiry): Finding[] {
  const newest = setsInOrder(facts).slice(-1);
  const judged =
    kept.length > 0
      ? setsOf(
          facts,
          kept.map(({ id }) => id),
        )
      : newest;
  const findings = [...pinnedIn(facts).findings, ...wrongWith(facts, judged)];
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()];
}

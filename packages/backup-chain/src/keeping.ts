import { chainOf, setFindings } from './chain.ts';
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

/** What is wrong with a set: itself, or a chain that it needs. */
function wrongWith(facts: VmFacts, set: BackupSet): Finding[] {
  const own = facts.sets.filter(({ value }) => value?.id === set.id).flatMap((leaf) => setFindings(facts, leaf));
  const chains = set.members.flatMap(({ disk: name, point }) => {
    const disk = facts.disks.find((one) => one.name === name);
    return disk === undefined ? [] : chainOf({ facts, disk }, point).findings;
  });
  return [...own, ...chains].filter(({ code }) => code !== 'noted');
}

/** Which sets go and which stay, and why. */
export function expiryOf(facts: VmFacts, { policy, now }: Pick<Rules, 'policy' | 'now'>): Expiry {
  const sets = setsInOrder(facts).map((set) => ({ ...set, isComplete: () => isClean(wrongWith(facts, set)) }));
  return expire(sets, { policy, pins: pinnedIn(facts).pinned, now });
}

/** The sets of these ids. */
export const setsOf = ({ sets }: VmFacts, ids: readonly string[]): BackupSet[] =>
  sets.flatMap(({ value }) => (value !== null && ids.includes(value.id) ? [value] : []));

/** What keeps a VM from being pruned: damage in what is kept, a pin of nothing, or no set that is complete. */
export function standsInTheWay(facts: VmFacts, { kept }: Expiry): Finding[] {
  const ids = kept.map(({ id }) => id);
  const retained = setsOf(facts, ids).flatMap((set) => wrongWith(facts, set));
  const newest = setsInOrder(facts).at(-1);
  const none = ids.length === 0 && newest !== undefined ? wrongWith(facts, newest) : [];
  return [
    ...new Map([...pinnedIn(facts).findings, ...retained, ...none].map((one) => [JSON.stringify(one), one])).values(),
  ];
}

import { isDeepStrictEqual } from 'node:util';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { readVm, type VmFacts } from './repository.ts';

/** What a writer changes: manifests by their bytes, and the files that lie there. */
const stateOf = ({ disks, sets }: VmFacts): unknown => [
  sets.map(({ name, value }) => [name, value?.self]),
  disks.map(({ name, points, data }) => [name, points.map(({ value }) => value?.self), data.map((file) => file.name)]),
];

type Outcome<T> = { value: T } | { error: unknown };

async function outcomeOf<T>(look: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await look() };
  } catch (error) {
    return { error };
  }
}

/** How often a VM may change under a look before it is taken as it is. */
const patience = 10;

/**
 * Looks at a VM as it was read. Where that finds damage and the VM is not as it was, a writer moved something away
 * between reading and looking: then it looks again, at what is there now. Damage that stays is told.
 */
export async function steadily<T>(
  host: Host,
  look: { facts: VmFacts; at: (facts: VmFacts) => Promise<T> },
  isSound: (found: T) => boolean = () => true,
): Promise<T> {
  let { facts } = look;
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await outcomeOf(() => look.at(facts));
    const damaged =
      'error' in outcome
        ? outcome.error instanceof Failure && outcome.error.kind === 'corrupt'
        : !isSound(outcome.value);
    const now = damaged && attempt < patience ? await readVm(host, facts.repo, facts) : facts;
    if (!isDeepStrictEqual(stateOf(now), stateOf(facts))) facts = now;
    else if ('error' in outcome) throw outcome.error;
    else return outcome.value;
  }
}

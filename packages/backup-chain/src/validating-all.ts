import type { Call } from '@platter/command/call';
import { setFindings } from './chain.ts';
import { lockForReading } from './reading.ts';
import { type DiskFacts, listVms, type Repo, readVm, type VmFacts } from './repository.ts';
import { type Found, pointsOf, resolve } from './resolving.ts';
import { steadily } from './steadily.ts';
import { setAddress } from './telling.ts';
import { type Thoroughness, type Validated, validateChain, validateVm } from './validating.ts';
import { isClean } from './validation.ts';

interface Wish extends Thoroughness {
  repo: Repo;
  /** Addresses; none is the whole repository. */
  names: readonly string[];
}

async function* whole(call: Call<{ wait: number }>, wish: Wish): AsyncGenerator<Validated> {
  for (const vm of await listVms(call.host, wish.repo)) {
    const facts = await readVm(call.host, wish.repo, vm);
    await lockForReading(call, facts.paths, call.flags.wait);
    const read = await readVm(call.host, wish.repo, vm);
    yield* await steadily(call.host, { facts: read, at: (now) => validateVm(call, now, wish) }, (all) =>
      all.every(({ findings }) => isClean(findings)),
    );
  }
}

/** Validates the chain of one point; one that went away meanwhile is what is found. */
function validatePoint(
  call: Call<unknown>,
  facts: VmFacts,
  { disk: { name }, ...rest }: Wish & { disk: DiskFacts; id: string },
): Promise<Validated> {
  const at = (now: VmFacts) => {
    const disk = [...now.disks, ...facts.disks].find((one) => one.name === name) as DiskFacts;
    return validateChain(call, { facts: now, disk }, { ...rest, wanted: new Set([rest.id]) });
  };
  return steadily(call.host, { facts, at }, ({ findings }) => isClean(findings));
}

function validateSet({ facts, set }: Found & { kind: 'set' }): Validated {
  const findings = facts.sets.filter(({ value }) => value === set).flatMap((one) => setFindings(facts, one));
  return { name: setAddress(set), findings, links: 0, bytesRead: 0, story: `set of ${set.members.length}` };
}

/** Validates what the addresses mean, each point's chain in turn; without any the whole repository. */
export async function* validateAll(call: Call<{ wait: number }>, wish: Wish): AsyncGenerator<Validated> {
  if (wish.names.length === 0) yield* whole(call, wish);
  for (const name of wish.names) {
    const found = await resolve(call.host, wish.repo, name);
    await lockForReading(call, found.facts.paths, call.flags.wait);
    for (const ref of pointsOf(found)) yield validatePoint(call, found.facts, { ...wish, ...ref });
    if (found.kind === 'set') yield validateSet(found);
  }
}

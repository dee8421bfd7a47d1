import type { Call } from '@platter/command/call';
import { setFindings } from './chain.ts';
import { lockForReading } from './reading.ts';
import { listVms, type Repo, readVm } from './repository.ts';
import { pointsOf, resolve } from './resolving.ts';
import { setAddress } from './telling.ts';
import { type Thoroughness, type Validated, validateChain, validateVm } from './validating.ts';

interface Wish extends Thoroughness {
  repo: Repo;
  /** Addresses; none is the whole repository. */
  names: readonly string[];
}

async function* whole(call: Call<{ wait: number }>, wish: Wish): AsyncGenerator<Validated> {
  for (const vm of await listVms(call.host, wish.repo)) {
    const facts = await readVm(call.host, wish.repo, vm);
    await lockForReading(call, facts.paths, call.flags.wait);
    yield* await validateVm(call, await readVm(call.host, wish.repo, vm), wish);
  }
}

/** Validates what the addresses mean, each point's chain in turn; without any the whole repository. */
export async function* validateAll(call: Call<{ wait: number }>, wish: Wish): AsyncGenerator<Validated> {
  if (wish.names.length === 0) yield* whole(call, wish);
  for (const name of wish.names) {
    const found = await resolve(call.host, wish.repo, name);
    const { facts } = found;
    await lockForReading(call, facts.paths, call.flags.wait);
    for (const { disk, id } of pointsOf(found))
      yield validateChain(call, { facts, disk }, { ...wish, id, wanted: new Set([id]) });
    if (found.kind === 'point') continue;
    const findings = facts.sets.filter(({ value }) => value === found.set).flatMap((set) => setFindings(facts, set));
    yield {
      name: setAddress(found.set),
      findings,
      links: 0,
      bytesRead: 0,
      story: `set of ${found.set.members.length}`,
    };
  }
}

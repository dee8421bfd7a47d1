import type { Call } from '@platter/command/call';
import { chainOf, unreadable } from './chain.ts';
import { readable } from './chain-rules.ts';
import { readChecked } from './checked.ts';
import type { Finding } from './finding.ts';
import { lockForReading } from './reading.ts';
import { type DiskFacts, listVms, type Repo, readVm, type VmFacts } from './repository.ts';
import { pointsOf, resolve } from './resolving.ts';
import type { Subject } from './scrub-plan.ts';

type Locked = Call<{ wait: number }>;

async function subjectsOf(call: Locked, facts: VmFacts, [disk, ids]: readonly [DiskFacts, ReadonlySet<string>]) {
  const checked = await readChecked(call.host, disk);
  const points = readable(disk).filter(({ id }) => ids.has(id));
  return points.map((point): Subject => {
    const { file } = point.data;
    return { facts, disk, point, path: `${disk.paths.data}/${file}`, last: checked.get(file) ?? null };
  });
}

/** What is meant to be read. */
export interface Scope {
  subjects: Subject[];
  /** Manifests that cannot be read, so that their files are not known. */
  findings: Finding[];
}

async function scopeOfVm(call: Locked, facts: VmFacts): Promise<Scope> {
  const scope: Scope = { subjects: [], findings: [] };
  for (const disk of facts.disks) {
    const all = new Set(readable(disk).map(({ id }) => id));
    scope.subjects.push(...(await subjectsOf(call, facts, [disk, all])));
    scope.findings.push(...unreadable(disk.points));
  }
  return scope;
}

async function scopeOfAddress(call: Locked, repo: Repo, name: string): Promise<Scope> {
  const found = await resolve(call.host, repo, name);
  const { facts } = found;
  await lockForReading(call, facts.paths, call.flags.wait);
  const scope: Scope = { subjects: [], findings: [] };
  for (const { disk, id } of pointsOf(found)) {
    const { links, findings } = chainOf({ facts, disk }, id);
    const needed = new Set(links.map((one) => one.id));
    scope.subjects.push(...(await subjectsOf(call, facts, [disk, needed])));
    scope.findings.push(...findings.filter(({ rule }) => ['C1', 'C3', 'C11'].includes(rule)));
  }
  return scope;
}

/** The data files that addresses mean, or all of the repository; their VMs are held for reading. */
export async function scopeOf(call: Locked, { repo, names }: { repo: Repo; names: readonly string[] }): Promise<Scope> {
  const scopes: Scope[] = [];
  for (const name of names) scopes.push(await scopeOfAddress(call, repo, name));
  for (const vm of names.length === 0 ? await listVms(call.host, repo) : []) {
    await lockForReading(call, (await readVm(call.host, repo, vm)).paths, call.flags.wait);
    scopes.push(await scopeOfVm(call, await readVm(call.host, repo, vm)));
  }
  return {
    subjects: scopes.flatMap(({ subjects }) => subjects),
    findings: scopes.flatMap(({ findings }) => findings),
  };
}

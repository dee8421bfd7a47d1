import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { type Entered, enterAny, freshId, settleIn } from './entering.ts';
import { refuse } from './finding.ts';
import { disksIn, type History, type Moment } from './foreign.ts';
import { type OpenedChain, openHistory } from './foreign-files.ts';
import { rootOf } from './foreign-point.ts';
import { type Judged, type SetVerdict, setVerdicts, sharedId } from './import-sets.ts';
import { Importer } from './importer.ts';
import { knownRoot, type Verdict, verdicts, type Wanted } from './importing.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import { identityOf } from './origin.ts';
import type { Repo, VmFacts } from './repository.ts';
import type { Link } from './stack.ts';
import { inOrder, type Standing } from './view.ts';

/** An import of one VM, as it was said. */
export interface ImportWish {
  repo: Repo;
  history: History;
  full: boolean;
  /** The point that the first file of each disk stands on. */
  after: string | undefined;
  ignoreBacking: boolean;
  at: number | undefined;
  uids: ReadonlyMap<string, string>;
  labels: Record<string, string>;
  workers: number;
  wait: number;
}

/** What became of a file of an import, or of a set. */
export type Imported = { kind: 'point'; point: Point; standing: Standing } | { kind: 'set'; set: BackupSet };

/** A file with what it holds and what becomes of it. */
export interface PlannedFile {
  disk: string;
  type: Point['type'];
  link: Link;
  verdict: Verdict;
}

/** A moment with what becomes of its files and its set. */
export interface Planned {
  moment: Moment;
  files: PlannedFile[];
  id: string | null;
  set: SetVerdict;
}

/** The points of a disk, oldest first, without those that a merge took in and the next sweep puts away. */
function pointsOf({ disks }: VmFacts, name: string): Point[] {
  const points = disks.filter((one) => one.name === name).flatMap(inOrder);
  const merged = new Set(points.flatMap(({ supersedes }) => supersedes));
  return points.filter(({ id }) => !merged.has(id));
}

/** The point of a disk that `--after` means: by its own id, or by that of a set. */
function pointAfter(facts: VmFacts, disk: string, id: string | undefined): Point | null {
  if (id === undefined) return null;
  const set = facts.sets.find(({ value }) => value?.id === id)?.value;
  const named = set?.members.find((member) => member.disk === disk)?.point ?? id;
  const point = pointsOf(facts, disk).find((one) => one.id === named);
  if (point !== undefined) return point;
  throw new Failure('refused', `${disk} has no point ${id}`, { hint: 'backup-chain list --points' });
}

/** What is wanted of each file of a disk; content is read only where a point may hold the same. */
async function wantedOf({ history, workers }: ImportWish, points: readonly Point[], chains: readonly OpenedChain[]) {
  const wanted: (Wanted & { link: Link; moment: number })[] = [];
  for (const { files, links } of chains)
    for (const [n, { type, path, moment }] of files.entries()) {
      const link = links[n] as Link;
      const { root, read } = knownRoot(points, identityOf(link.held));
      const id = history.moments[moment]?.id ?? null;
      wanted.push({ type, path, id, moment, link, root: read ? await rootOf(link.held, workers) : root });
    }
  return wanted;
}

/** Opens and judges all files, and says what becomes of each and of each moment. */
async function plan(call: Call<unknown>, wish: ImportWish, facts: VmFacts): Promise<Planned[]> {
  const { history, ignoreBacking, full, after } = wish;
  const rules = { ignoreBacking, after: (disk: string) => pointAfter(facts, disk, after) };
  const opened = await openHistory(call.host, history, rules);
  const findings = opened.flatMap((one) => one.findings);
  for (const { code, object, message } of findings) if (code === 'noted') call.note(`${object}: ${message}`);
  refuse(findings, 'these files cannot be imported');
  const files: (PlannedFile & { moment: number })[] = [];
  for (const disk of disksIn(history)) {
    refuseUid(facts, disk, wish);
    const points = pointsOf(facts, disk);
    const chains = opened.filter((one) => one.disk === disk);
    const wanted = await wantedOf(wish, points, chains);
    const found = verdicts(wanted, { disk, points, full, after: rules.after(disk) });
    for (const [n, { type, link, moment }] of wanted.entries())
      files.push({ disk, type, link, moment, verdict: found[n] as Verdict });
  }
  return withSets(facts, history, files);
}

function withSets(facts: VmFacts, history: History, files: readonly (PlannedFile & { moment: number })[]): Planned[] {
  const moments = history.moments.map((moment, n) => ({ moment, files: files.filter((one) => one.moment === n) }));
  const judged = moments.map(({ moment, files: own }): Judged => ({ id: moment.id, files: own }));
  const sets = setVerdicts(facts, judged);
  return moments.map((one, n) => ({
    ...one,
    id: one.moment.id ?? sharedId(facts, judged[n] as Judged),
    set: sets[n] as SetVerdict,
  }));
}

function refuseUid({ disks }: VmFacts, disk: string, { uids }: ImportWish): void {
  const [said, known] = [uids.get(disk), disks.find(({ name }) => name === disk)?.identity.value?.uid];
  if (said === undefined || known === undefined || said === known) return;
  throw new Failure('refused', `will not import ${disk}: the repository knows it as ${known}, not ${said}`);
}

/**
 * Imports the moments of one VM, oldest first: judges every file before anything is changed, then makes the points
 * and sets that are not there yet. `done` is told of each.
 */
export async function importHistory(
  call: Call<unknown>,
  wish: ImportWish,
  done: (imported: Imported) => Promise<void>,
): Promise<void> {
  const { wait, history } = wish;
  const entered: Entered = await enterAny(call, wish.repo, { ...history.place, wait });
  const planned = await plan(call, wish, entered.facts);
  const now = call.now();
  await settleIn(call, entered, { wait, now });
  const importer = new Importer(call, wish, entered.facts);
  for (const one of planned) {
    const id = one.id ?? freshId(importer.facts, now, () => call.random(2));
    await importer.make({ ...one, id }, done);
  }
}

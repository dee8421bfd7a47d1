import { Failure } from '@platter/host/failure';
import { readable } from './chain-rules.ts';
import type { Verdict } from './importing.ts';
import type { BackupSet } from './manifest-kinds.ts';
import type { VmFacts } from './repository.ts';
import { setAddress } from './telling.ts';

/** A moment with what became of its files so far. */
export interface Judged {
  id: string | null;
  files: { disk: string; verdict: Verdict }[];
}

/** Whether the set of a moment is there, was there and is not made again, or is to be made. */
export type SetVerdict = { state: 'here'; set: BackupSet } | { state: 'gone' } | { state: 'new' };

/** The point of each file by its id; of one to be made, the id it will have; null where none will be. */
const pointIds = ({ id, files }: Judged): Map<string, string | null> =>
  new Map(
    files.map(({ disk, verdict }) => [
      disk,
      verdict.state === 'here' ? verdict.point.id : verdict.state === 'new' ? id : null,
    ]),
  );

const names = ({ members }: BackupSet, points: ReadonlyMap<string, string | null>): boolean =>
  members.length === points.size && members.every(({ disk, point }) => points.get(disk) === point);

/** The set that is there of a moment: by its id, which must mean the same, else by what it names. */
function setOf({ sets, namespace, vm }: VmFacts, judged: Judged): BackupSet | undefined {
  const all = sets.flatMap(({ value }) => value ?? []);
  const points = pointIds(judged);
  if (judged.id === null) return all.find((set) => names(set, points));
  const set = all.find(({ id }) => id === judged.id);
  if (set === undefined || names(set, points)) return set;
  throw new Failure(
    'refused',
    `will not import ${setAddress({ namespace, vm, id: judged.id })}: it names other disks`,
    {
      details: { 'it names': set.members.map(({ disk }) => disk).join(', ') },
      hint: '--disks with the same ones',
    },
  );
}

/** What becomes of the set of each moment. One that is missing below a later one that is there was expired. */
export function setVerdicts(facts: VmFacts, moments: readonly Judged[]): SetVerdict[] {
  const found = moments.map((one) => setOf(facts, one));
  const newest = found.findLastIndex((set) => set !== undefined);
  return moments.map(({ files }, n) => {
    const set = found[n];
    if (set !== undefined) return { state: 'here', set };
    const states = files.map(({ verdict }) => verdict.state);
    const expired = states.includes('gone') || (n < newest && states.every((state) => state === 'here'));
    return { state: expired ? 'gone' : 'new' };
  });
}

/** The id that a moment without one gets: that of its points if some are there and no set has it; else null. */
export function sharedId(facts: VmFacts, { files }: Judged): string | null {
  const ids = files.flatMap(({ verdict }) => (verdict.state === 'here' ? [verdict.point.id] : []));
  const [id] = ids;
  const fresh = files.filter(({ verdict }) => verdict.state === 'new').map(({ disk }) => disk);
  const points = facts.disks.filter(({ name }) => fresh.includes(name)).flatMap(readable);
  const taken = facts.sets.some(({ name }) => name === `${id}.json`) || points.some((point) => point.id === id);
  return id === undefined || taken || ids.some((one) => one !== id) ? null : id;
}

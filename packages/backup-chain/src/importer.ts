import type { Call } from '@platter/command/call';
import { chainOf } from './chain.ts';
import { refuse } from './finding.ts';
import { importPoint } from './foreign-point.ts';
import type { Imported, ImportWish, Planned, PlannedFile } from './import.ts';
import { diskPaths } from './layout.ts';
import type { BackupSet, Point } from './manifest-kinds.ts';
import { openChain } from './opening.ts';
import { ensureDisk, heading, publishSet } from './publish.ts';
import type { DiskFacts, VmFacts } from './repository.ts';
import { openPoint } from './sources.ts';
import type { Link } from './stack.ts';
import { inOrder, type Standing, standingOf } from './view.ts';
import { withPoint } from './with-point.ts';

type Tell = (imported: Imported) => Promise<void>;
type Taken = Pick<Point, 'capturedAt' | 'capturedAtFrom' | 'consistency'>;

/** Where a disk has come to: its newest point, and its chain, open once a further point stands on it. */
interface Tip {
  point: Point;
  links: Link[] | null;
}

/** Makes the points and sets of an import one after another. */
export class Importer {
  readonly #call: Call<unknown>;
  readonly #wish: ImportWish;
  readonly #tips = new Map<string, Tip>();
  readonly #uids = new Map<string, string>();
  facts: VmFacts;

  constructor(call: Call<unknown>, wish: ImportWish, facts: VmFacts) {
    this.#call = call;
    this.#wish = wish;
    this.facts = facts;
  }

  /** When a moment was, and who says so: a person, its peer, or the time of its newest file. */
  #taken({ moment, files }: Planned): Taken {
    const { at, history } = this.#wish;
    const consistency = 'unknown' as const;
    if (at !== undefined) return { capturedAt: new Date(at).toISOString(), capturedAtFrom: 'given', consistency };
    if (moment.at !== null && history.from !== 'files')
      return { capturedAt: moment.at, capturedAtFrom: history.from, consistency };
    const newest = Math.max(...files.map(({ link }) => Number(link.held.mtimeNs / 1_000_000n)));
    return { capturedAt: new Date(newest).toISOString(), capturedAtFrom: 'mtime', consistency };
  }

  /** The open chain of a disk's newest point, proven to be what was captured. */
  async #below(disk: string, tip: Tip): Promise<Link[]> {
    const facts = this.facts.disks.find(({ name }) => name === disk);
    if (tip.links === null && facts !== undefined) {
      const { stack } = await openPoint(this.#call, this.facts, { disk: facts, id: tip.point.id });
      tip.links = [...stack.links];
    }
    return tip.links ?? [];
  }

  /** The new point's own file, or in a dry run the one it would be made of. */
  async #linkOf(point: Point, link: Link): Promise<Link> {
    const { host } = this.#call;
    if (host.dry) return link;
    const { links, findings } = await openChain(host, { paths: diskPaths(this.facts.paths, point.disk.name) }, [point]);
    refuse(findings, `${point.data.file} is not as it was written`);
    return links[0] as Link;
  }

  /** What an increment stands on: the newest point of its disk. */
  #tipOf(disk: string): Tip | undefined {
    const facts = this.facts.disks.find(({ name }) => name === disk);
    const point = facts && inOrder(facts).at(-1);
    return this.#tips.get(disk) ?? (point && { point, links: null });
  }

  /** The identity of a disk, which is made with its folder when it is new. */
  async #uidOf(disk: string, at: string): Promise<string> {
    const fresh = this.#wish.uids.get(disk) ?? this.#call.uuid();
    const { facts } = this;
    const known = this.#uids.get(disk) ?? (await ensureDisk(this.#call.host, { facts, disk, uid: fresh, at }));
    this.#uids.set(disk, known);
    return known;
  }

  async #create({ disk, type, link }: PlannedFile, planned: Planned & { id: string }): Promise<Tip> {
    const tip = type === 'full' ? undefined : this.#tipOf(disk);
    const below = tip === undefined ? [] : await this.#below(disk, tip);
    const { labels, workers, history } = this.#wish;
    const taken = this.#taken(planned);
    const { facts } = this;
    const uid = await this.#uidOf(disk, taken.capturedAt);
    const paths = diskPaths(facts.paths, disk);
    const { checkpoint } = planned.moment;
    const own = { id: planned.id, disk, type, uid, link, paths, below, taken, labels, workers, checkpoint };
    const point = await importPoint({
      call: this.#call,
      facts,
      parent: tip?.point ?? null,
      from: history.from,
      ...own,
    });
    this.facts = withPoint(facts, point);
    return { point, links: [...below, await this.#linkOf(point, link)] };
  }

  async #publish(planned: Planned & { id: string }, points: readonly Point[]): Promise<BackupSet> {
    const { namespace, vm, repo } = this.facts;
    const members = points.map(({ disk, id, stateId, virtualSize }) => {
      return { disk: disk.name, uid: disk.uid, point: id, stateId, virtualSize };
    });
    const { labels } = this.#wish;
    const set = { ...heading('BackupSet'), repo: repo.id, namespace, vm, id: planned.id, members, labels };
    const { attachments } = planned.moment;
    return publishSet(this.#call.host, this.facts, { set: { ...set, ...this.#taken(planned) }, attachments });
  }

  /** Where a point stands that was there before. */
  #found(point: Point): Standing {
    const disk = this.facts.disks.find(({ name }) => name === point.disk.name) as DiskFacts;
    return standingOf(this.facts, disk, [point, chainOf({ facts: this.facts, disk }, point.id).links]);
  }

  /** Sees to it that a file is a point. */
  async #point(file: PlannedFile, planned: Planned & { id: string }, tell: Tell): Promise<Point> {
    const { verdict } = file;
    const tip = verdict.state === 'here' ? { point: verdict.point, links: null } : await this.#create(file, planned);
    this.#tips.set(file.disk, tip);
    const { point, links } = tip;
    const made = { outcome: 'created' as const, hidden: false, dependents: 0, restoreBytes: point.virtualSize };
    await tell({
      kind: 'point',
      point,
      standing: links === null ? this.#found(point) : { ...made, links: links.length },
    });
    return point;
  }

  /** Makes what is missing of a moment: its points in the order of their disks, then its set. */
  async make(planned: Planned & { id: string }, tell: Tell): Promise<void> {
    const points: Point[] = [];
    for (const file of planned.files)
      if (file.verdict.state !== 'gone') points.push(await this.#point(file, planned, tell));
    if (planned.set.state === 'here') await tell({ kind: 'set', set: planned.set.set });
    if (planned.set.state === 'new') await tell({ kind: 'set', set: await this.#publish(planned, points) });
  }
}

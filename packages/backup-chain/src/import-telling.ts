import type { Call } from '@platter/command/call';
import type { History } from './foreign.ts';
import type { Imported } from './import.ts';
import { pointAddress, setAddress, vmAddress } from './telling.ts';
import { pointRecord, setRecord } from './view.ts';

const trust: Record<History['from'], string> = {
  files: 'order, completeness and content are taken from you',
  kubevirt: 'completeness and content trusted on first use',
  oadp: 'chain names proven, content trusted on first use',
};

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Ids in a line; of many the first, the last and how many. */
const listed = (ids: readonly string[]): string => (ids.length > 8 ? `${ids[0]} ... ${ids.at(-1)}` : ids.join(', '));

/** One line about an import of a VM. */
function importText({ place, from }: History, all: readonly Imported[]): string {
  const points = all.flatMap((one) => (one.kind === 'point' ? [one.point] : []));
  const sets = all.flatMap((one) => (one.kind === 'set' ? [one.set.id] : []));
  const disks = new Set(points.map(({ disk }) => disk.name));
  const known = all.filter((one) => one.kind === 'point' && one.standing.outcome === 'exists').length;
  const name = `${vmAddress(place)}${sets.length > 0 ? `@${listed(sets)}` : ''}`;
  const counts = [counted(sets.length, 'set'), counted(disks.size, 'disk'), counted(points.length, 'point')];
  const before = known === 0 ? '' : known === points.length ? ', all there before' : `, ${known} there before`;
  return `${name}  ${counts.join(', ')}${before}; ${trust[from]}`;
}

/** Tells what becomes of an import's files: a record each, and with the last one a line about all. */
export class ImportTeller {
  readonly #call: Call<unknown>;
  readonly #history: History;
  readonly #all: Imported[] = [];
  #told = 0;

  constructor(call: Call<unknown>, history: History) {
    this.#call = call;
    this.#history = history;
  }

  async #emit(one: Imported, text: readonly string[]): Promise<void> {
    this.#told += 1;
    if (one.kind === 'set') return this.#call.emit(setRecord(one.set), { text, name: setAddress(one.set) });
    const { point, standing } = one;
    const name = standing.outcome === 'created' ? { name: pointAddress(point) } : {};
    return this.#call.emit(pointRecord(point, standing), { text, ...name });
  }

  /** Tells each as it is done, once the next one is; the line about all stands with the last one of a whole import. */
  async during(work: (tell: (one: Imported) => Promise<void>) => Promise<void>): Promise<void> {
    let text: readonly string[] = [];
    try {
      await work((one) => this.#take(one));
      text = [importText(this.#history, this.#all)];
    } finally {
      const last = this.#all[this.#told];
      if (last !== undefined) await this.#emit(last, text);
    }
  }

  async #take(one: Imported): Promise<void> {
    this.#all.push(one);
    if (this.#told < this.#all.length - 1) await this.#emit(this.#all[this.#told] as Imported, []);
  }
}

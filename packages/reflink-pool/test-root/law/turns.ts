import type { Change, Host, Query } from '@platter/host/door';

/** Several verbs at one door, of which one look or change happens at a time: whose, `choose` says (0 up to `n`). */
export class Turns {
  #waiting: { who: number; go: () => void }[] = [];
  #running = new Set<number>();
  #busy = false;
  readonly #choose: (n: number) => number;

  constructor(choose: (n: number) => number) {
    this.#choose = choose;
  }

  /** Runs all of them to their ends. */
  all<T>(host: Host, verbs: readonly ((host: Host) => Promise<T>)[]): Promise<T[]> {
    for (const who of verbs.keys()) this.#running.add(who);
    return Promise.all(verbs.map((verb, who) => verb(this.#door(host, who)).finally(() => this.#ended(who))));
  }

  #door(host: Host, who: number): Host {
    return {
      dry: false,
      query: <Q extends Query>(query: Q) => this.#turn(who, () => host.query(query)),
      change: <C extends Change>(change: C) => this.#turn(who, () => host.change(change)),
    };
  }

  async #turn<T>(who: number, act: () => Promise<T>): Promise<T> {
    await new Promise<void>((go) => {
      this.#waiting.push({ who, go });
      this.#next();
    });
    try {
      return await act();
    } finally {
      this.#busy = false;
      setImmediate(() => this.#next());
    }
  }

  #ended(who: number): void {
    this.#running.delete(who);
    this.#next();
  }

  /** The next one goes when everybody who still runs has come to the door. */
  #next(): void {
    const here = [...new Set(this.#waiting.map(({ who }) => who))].sort();
    if (this.#busy || here.length < this.#running.size || here.length === 0) return;
    const who = here[this.#choose(here.length)];
    const at = this.#waiting.findIndex((one) => one.who === who);
    this.#busy = true;
    this.#waiting.splice(at, 1)[0]?.go();
  }
}

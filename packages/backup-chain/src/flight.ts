/** Work that is under way: so many pieces of it at once, begun one after the other. */
export class Flight {
  readonly #most: number;
  readonly #under: Promise<void>[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Begins `work` when there is room for it. Rejects when something failed, once all that was begun has ended. */
  async begin(work: () => Promise<void>): Promise<void> {
    while (this.#under.length >= this.#most) await this.#oldest();
    const begun = work();
    begun.catch(() => undefined);
    this.#under.push(begun);
  }

  async #oldest(): Promise<void> {
    try {
      await this.#under.shift();
    } catch (error) {
      await Promise.allSettled(this.#under.splice(0));
      throw error;
    }
  }

  /** Waits for all that is under way. */
  async land(): Promise<void> {
    while (this.#under.length > 0) await this.#oldest();
  }
}

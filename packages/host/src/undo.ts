import { Failure } from './failure.ts';

type Step = { what: string; back: () => Promise<void> };

/** What to take back when a later step fails, last first. Each step looks again at the facts before it acts. */
export class Undo {
  #steps: Step[] = [];

  /** Registers how to take back what was just done. */
  add(what: string, back: () => Promise<void>): void {
    this.#steps.push({ what, back });
  }

  /** What was done stays: nothing is taken back from here on. */
  keep(): void {
    this.#steps = [];
  }

  /** Runs `work`; when it fails everything registered is taken back, and what could not be is named in the failure. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const left = await this.#unwind();
      if (left.length === 0 || !(error instanceof Failure)) throw error;
      const details = { ...error.details, left: left.join('; ') };
      throw new Failure(error.kind, error.message, {
        details,
        cause: error,
        ...(error.hint ? { hint: error.hint } : {}),
      });
    }
  }

  async #unwind(): Promise<string[]> {
    const left: string[] = [];
    for (const { what, back } of this.#steps.splice(0).reverse())
      await back().catch((error: Error) => left.push(`${what} (${error.message})`));
    return left;
  }
}

import { Interrupted } from './failure.ts';

/**
 * A signal, delivered to the verb once: as the failure of the first look or change after it, or of the program that
 * was running. What the verb then does to put things back runs unhindered.
 */
export class Interruption {
  #signal: AbortSignal | undefined;
  #delivered = false;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Throws Interrupted when a signal waits to be delivered. */
  deliver(): void {
    if (!this.#signal?.aborted || this.#delivered) return;
    this.#delivered = true;
    throw new Interrupted();
  }

  /** Ends running programs; undefined once the signal is delivered. */
  get cancels(): AbortSignal | undefined {
    return this.#delivered ? undefined : this.#signal;
  }
}

import type { Held } from '@platter/host/hold';
import { type Slab, sip } from '@platter/host/sip';
import { clusterSize } from './layout.ts';

/** Time, as far as a pace needs it; in milliseconds. */
export interface Clock {
  now(): number;
  wait(ms: number): Promise<void>;
}

const longestStep = 16 * 1024 * 1024;

/** Holds reading down to so many bytes a second, whatever files they are in; what was not read is not made up for. */
export class Pace {
  readonly #clock: Clock;
  /** Bytes a second; null is as fast as it goes. */
  readonly #rate: number | null;
  #next = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, rate: number | null) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Waits until so many bytes may be read. */
  async #begin(bytes: number, rate: number): Promise<void> {
    const ahead = this.#next - this.#clock.now();
    if (ahead > 0) await this.#clock.wait(ahead);
    this.#next = Math.max(this.#next, this.#clock.now()) + (bytes / rate) * 1000;
  }

  /** A whole file, in order. */
  async *read(held: Held, workers: number): AsyncGenerator<Slab> {
    const rate = this.#rate;
    if (rate === null) return yield* sip(held, { workers });
    const step = Math.min(longestStep, Math.max(clusterSize, Math.floor(rate / clusterSize) * clusterSize));
    for (let at = 0; at < held.size; at += step) {
      const length = Math.min(step, held.size - at);
      await this.#begin(length, rate);
      yield* sip(held, { ranges: [{ at, length }], workers });
    }
  }
}

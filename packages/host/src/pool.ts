import { closeSync } from 'node:fs';
import { errno } from './failure.ts';

/** What a pool keeps open: it can be closed at any time and opened again, but not while pinned. */
export interface Pooled {
  open(): number;
  pinned(): boolean;
}

/**
 * Descriptors of which at most `limit` are open, the longest unused closed first. When the process has no more
 * (EMFILE) the limit becomes half of what was open.
 */
export class Pool {
  #limit: number;
  readonly #open = new Map<Pooled, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The descriptor of `one`, opened when it is not open. */
  fd(one: Pooled): number {
    const fd = this.#open.get(one) ?? this.make(() => one.open());
    this.#open.delete(one);
    this.adopt(one, fd);
    return fd;
  }

  /** Takes over a descriptor that is open already. */
  adopt(one: Pooled, fd: number): void {
    this.#open.set(one, fd);
  }

  drop(one: Pooled): void {
    const fd = this.#open.get(one);
    if (fd === undefined) return;
    this.#open.delete(one);
    closeSync(fd);
  }

  /** Opens, with room made by closing others: within the limit, and as long as the process has no descriptor left. */
  make(open: () => number): number {
    this.#shrink(this.#limit - 1);
    try {
      return open();
    } catch (error) {
      if (errno(error) !== 'EMFILE' || !this.#halve()) throw error;
      return this.make(open);
    }
  }

  #halve(): boolean {
    const before = this.#open.size;
    this.#limit = Math.max(1, before >> 1);
    this.#shrink(before >> 1);
    return this.#open.size < before;
  }

  #shrink(size: number): void {
    for (const one of this.#open.keys()) {
      if (this.#open.size <= size) return;
      if (!one.pinned()) this.drop(one);
    }
  }
}

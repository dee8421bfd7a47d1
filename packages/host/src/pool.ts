import { closeSync } from 'node:fs';

/** What a pool keeps open: it can be closed at any time and opened again, but not while pinned. */
export interface Pooled {
  open(): number;
  pinned(): boolean;
}

const isFull = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EMFILE';

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
    const fd = this.#open.get(one) ?? this.#make(one);
    this.#open.delete(one);
    this.#open.set(one, fd);
    return fd;
  }

  drop(one: Pooled): void {
    const fd = this.#open.get(one);
    if (fd === undefined) return;
    this.#open.delete(one);
    closeSync(fd);
  }

  /** Makes room after EMFILE; false when everything that is open is in use. */
  halve(): boolean {
    const before = this.#open.size;
    this.#limit = Math.max(1, before >> 1);
    this.#shrink(this.#limit);
    return this.#open.size < before;
  }

  #make(one: Pooled): number {
    this.#shrink(this.#limit - 1);
    try {
      return one.open();
    } catch (error) {
      if (!isFull(error) || !this.halve()) throw error;
      return this.#make(one);
    }
  }

  #shrink(size: number): void {
    for (const one of this.#open.keys()) {
      if (this.#open.size <= size) return;
      if (!one.pinned()) this.drop(one);
    }
  }
}

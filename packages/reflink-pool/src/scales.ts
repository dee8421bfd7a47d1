import { Failure } from '@platter/host/failure';
import type { Pool } from './pool.ts';
import { freedBy, imagesOf, reclaimable, type Weighed, weigh } from './usage.ts';
import type { Image, Revision, Volume } from './volume.ts';

/** Says what comes free as names of one volume go, one after another. Each image is looked at once. */
export class Scales {
  readonly #pool: Pool;
  readonly #volume: Volume;
  readonly #known = new Map<bigint, Weighed>();
  readonly #gone = new Set<string>();
  #freed = 0;

  constructor(pool: Pool, volume: Volume) {
    this.#pool = pool;
    this.#volume = volume;
  }

  /** Bytes that the only name of an image would free by itself; null when nobody can tell. */
  async single(revision: Revision): Promise<number | null> {
    if (revision.nlink > 1) return 0;
    return this.#orNull(async () => reclaimable(this.#pool, await this.#weighed(revision)));
  }

  /** Bytes that come free when these names go beside those that are gone; null when nobody can tell. */
  async further(revisions: readonly Revision[]): Promise<number | null> {
    for (const { path } of revisions) this.#gone.add(path);
    const before = this.#freed;
    const now = await this.#orNull(() => this.#all());
    this.#freed = now ?? before;
    return now === null ? null : now - before;
  }

  async #all(): Promise<number> {
    const images = imagesOf(this.#volume);
    const going = images.filter((image) => this.#isNameless(image));
    const goes = await this.#each(going);
    const stays = goes.length < 2 ? [] : await this.#each(images.filter((image) => !going.includes(image)));
    return freedBy(this.#pool, goes, stays);
  }

  /** Whether all names of an image are gone. */
  #isNameless({ ino, nlink }: Image): boolean {
    const names = this.#volume.revisions.filter((one) => one.ino === ino && this.#gone.has(one.path));
    return names.length === nlink;
  }

  async #each(images: readonly Image[]): Promise<Weighed[]> {
    const all: Weighed[] = [];
    for (const image of images) all.push(await this.#weighed(image));
    return all;
  }

  async #weighed(image: Image): Promise<Weighed> {
    const weighed = this.#known.get(image.ino) ?? (await weigh(this.#pool, image));
    this.#known.set(image.ino, weighed);
    return weighed;
  }

  /** That the filesystem cannot tell is no reason to keep anything. */
  async #orNull(look: () => Promise<number>): Promise<number | null> {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'failed') throw error;
      this.#pool.call.warn(`could not tell what ${this.#volume.name} would free: ${error.message}`);
      return null;
    }
  }
}

import type { Fixture } from '../repository.ts';

/** Exit codes of `validate` at each level, and of `restore`. */
export type Codes = readonly [meta: number, fast: number, deep: number, restore: number];

/** The chain given as loose files. */
export interface Loose {
  /** Exit codes of `validate --files` and `validate --files --level deep`; that of `import` is the first. */
  codes: readonly [fast: number, deep: number];
  flags?: readonly string[];
  /** What its failure names, when it is not what the repository's does. */
  blames?(f: Fixture): string;
  /** The layers that are still there, by number; all unless said. */
  layers?: readonly number[];
}

/** Second points of other chains, as large as i1. */
export interface Others {
  disk: Fixture;
  vm: Fixture;
  repository: Fixture;
}

/** One damage to the chain F, i1, i2, i3, of which i3 is asked for (spec 6). */
export interface Damage {
  row: number;
  what: string;
  make(f: Fixture, others: Others): void;
  codes: Codes;
  /** What a failure must name: a path, or the address of a point. */
  blames(f: Fixture): string;
  loose?: Loose;
  /**
   * `info` and `check` of the damaged file, and `convert` of the chain, its copies rebased as the recipe says: exit
   * codes, `!` where wrong content came with 0, `-` where there is no file to ask about.
   */
  qemu?: string;
  /** The files name their parents themselves, and QEMU is asked about them where they lie. */
  inPlace?: boolean;
  /** Which layer the recipe puts below the n-th, when it is not the one before. */
  parent?(n: number): number;
}

/** A row of the matrix, and what was done. */
export type Name = readonly [row: number, what: string];

/** What no level lets pass; and what only the tables tell. */
export const always: Codes = [5, 5, 5, 5];
export const tables: Codes = [0, 5, 5, 5];

/** Loose files that end as one code, however deep they are looked at. */
export const loose = (code: number): Loose => ({ codes: [code, code] });

import type { GroundName } from '../ground/probe.ts';

/** One of the two things compared. */
export interface Side {
  /** What a reader of the table sees. */
  label: string;
  argv: readonly string[];
  stdin?: string;
  /** Before each run, not timed: brings back the state that the run uses up. */
  prepare?(): Promise<void>;
  /** Milliseconds as the program itself tells them; the wall time of the whole process unless given. */
  told?(stdout: string): number;
}

export interface Sides {
  ours: Side;
  theirs: Side;
  /** Figures besides time, looked at after the last round: `bytes read / bytes changed`. */
  also?(): Promise<Record<string, number>> | Record<string, number>;
  /** Lets go of what lies outside the bench's folder. */
  end?(): Promise<void>;
}

/** What several benches look at, dear to make: made once, on one ground. */
export interface Material {
  needs: readonly GroundName[];
  /** Size in bytes of the filesystem it stands on; sparse. */
  space: number;
  make(dir: string): Promise<void>;
}

/** A question in figures: how long ours takes, as a part of what theirs takes. */
export interface Bench {
  /** Unique, also the name of its result file. */
  name: string;
  needs: readonly GroundName[];
  /** Timed rounds; in each both sides run once, in turns first. */
  rounds: number;
  /** The highest ratio of ours to theirs that was aimed at. */
  reach: number;
  /** The lowest, where less is as wrong as more. */
  least?: number;
  /** Size in bytes of the filesystem it stands on, when it needs one; sparse. */
  space?: number;
  /** What is in the folder before `setup`, and stays there for the next bench that looks at it. */
  on?: Material;
  setup(dir: string): Promise<Sides> | Sides;
}

import type { GroundName } from '../ground/probe.ts';

/** How a run is disturbed at its N-th change: the process dies, the change fails, the disk is full, or SIGINT arrives. */
export const faults = ['kill', 'fail', 'enospc', 'int'] as const;
export type Fault = (typeof faults)[number];

/** Where and how a run was disturbed; handed to the invariants so that they can say more for one place. */
export interface Disturbance {
  fault: Fault;
  /** 1-based number of the disturbed change. */
  n: number;
}

/**
 * One mutating verb in the crash matrix. For each fault and its N (`places` in driver.ts) the driver makes a fresh folder, calls `prepare`,
 * runs `command` with PLATTER_FAULT=<fault>@<N>, calls `interrupted`, runs `rerun` undisturbed, calls `settled`, calls
 * `cleanup`, and then looks that no process, nothing in TMPDIR, no loop device over a file of the folder and no mount
 * in it was left. A run killed before its last change may have
 * done all that matters, so the old state and the new one are both right, and nothing between them is.
 * Invariants throw (vitest's `expect` or `node:assert`). A case keeps no state between calls: two cases run at once.
 *
 * Write it in e2e/crash/cases/<tool>.ts, which exports `cases: readonly CrashCase[]`:
 *
 *     export const cases: readonly CrashCase[] = [
 *       {
 *         name: 'reflink-pool stop',
 *         needs: ['root', 'xfs'],
 *         keeps: ['the last commit is whole under its old or its new name', 'no temporary is left after the rerun'],
 *         async prepare(dir) {
 *           await succeed(['reflink-pool', 'init', `${dir}/pool`]);
 *           await succeed(['reflink-pool', 'create', 'a', '--size', '1M', '--pool', `${dir}/pool`]);
 *           await succeed(['reflink-pool', 'start', 'a', '--pool', `${dir}/pool`]);
 *         },
 *         command: (dir) => ['reflink-pool', 'stop', 'a', '--pool', `${dir}/pool`],
 *         interrupted: async (dir) => expect(await committed(dir)).toBeOneOf([before, after]),
 *         settled: async (dir) => expect(await committed(dir)).toBe(after),
 *       },
 *     ];
 *
 * `run` and `succeed` are in e2e/ground/run.ts, `tree` in e2e/ground/tree.ts. To run one case:
 * `vitest run --project crash -t 'reflink-pool stop'`.
 */
export interface CrashCase {
  /** Tool and verb, with what makes this case different in brackets: `disk-tools ensure (qcow2)`. Unique. */
  name: string;
  /** Grounds it stands on. The first of xfs, btrfs and ext4 named here is the filesystem that the folders lie on. */
  needs: readonly GroundName[];
  /** What the invariants below check, in words, one short sentence each; printed in docs/crash-matrix.md. */
  keeps: readonly string[];
  /** Made once for the case, on the same filesystem: what is dear to make, for `prepare` to copy from. */
  material?(dir: string): Promise<void>;
  /** Brings a fresh, empty folder to the state before the verb. Called once for every run: keep it cheap. */
  prepare(dir: string, material: string): Promise<void>;
  /** The verb's argv; the first word is the name of a tool (found in bin/) or an absolute path. */
  command(dir: string): readonly string[];
  /** Added to the environment of both runs: PATH, LC_ALL, NO_COLOR, HOME = the folder, and a TMPDIR beside it. */
  env?(dir: string): Record<string, string>;
  /** Text for the verb's stdin; empty unless given. */
  stdin?(dir: string): string;
  /** What holds after the disturbed run and before the next one. */
  interrupted(dir: string, at: Disturbance): Promise<void> | void;
  /** The argv of the next run, when it is not `command`. */
  rerun?(dir: string): readonly string[];
  /** Exit codes that the next run may end with; [0] unless given. A strict verb that had finished says 3. */
  accepts?: readonly number[];
  /** What holds after the next run. Also checked after a run that nothing disturbed. */
  settled(dir: string, at?: Disturbance): Promise<void> | void;
  /** A run whose change failed may end with 0 only when its stderr matches this: the change was best effort, and it says so. */
  bestEffort?: RegExp;
  /** Takes away what the verb rightly leaves in the kernel, such as the loops of a served volume group. Always called. */
  cleanup?(dir: string): Promise<void> | void;
}

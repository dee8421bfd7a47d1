/**
 * How far a law is tried: the same histories in every run of the tests, so that a change is what makes it fail.
 * PLATTER_LAW_SEED=$RANDOM and PLATTER_LAW_RUNS look further.
 */
export const effort = (runs: number): { numRuns: number; seed: number } => ({
  numRuns: Number(process.env.PLATTER_LAW_RUNS ?? runs),
  seed: Number(process.env.PLATTER_LAW_SEED ?? 20_261_120),
});

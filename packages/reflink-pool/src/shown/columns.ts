export const gap = '  ';
/** The parts that are there, side by side. */
export const columns = (...parts: (string | null | false | undefined)[]) => parts.filter(Boolean).join(gap);
export const counted = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
/** Milliseconds as people read them. */
export const took = (ms: number) => `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;

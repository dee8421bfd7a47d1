import { Invalid } from './invalid.ts';

const milliseconds: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const term = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)/y;

/**
 * Go's duration grammar plus `d` (24h) and `w` (7d), without a sign, to milliseconds (may be fractional).
 * `0` needs no unit. Invalid for anything else and beyond 2^53-1 ms.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  let total = 0;
  term.lastIndex = 0;
  for (let end = 0; end < text.length || end === 0; end = term.lastIndex) {
    const [, number, unit] = term.exec(text) ?? [];
    if (number === undefined || unit === undefined) throw wrong(text);
    total += Number(number) * (milliseconds[unit] ?? Number.NaN);
  }
  if (total > Number.MAX_SAFE_INTEGER) throw new Invalid(`"${text}" is too long a duration`);
  return total;
}

function wrong(text: string): Invalid {
  return new Invalid(`"${text}" is not a duration: use numbers with ns, us, ms, s, m, h, d, w, as in 1h30m or 2d`);
}

/** Milliseconds as Go prints whole seconds (`8h0m0s`, `41s`); below a second `71ms`. The sign is kept. */
export function formatDuration(duration: number): string {
  const sign = duration < 0 ? '-' : '';
  const ms = Math.abs(duration);
  if (ms > 0 && ms < 1000) return `${sign}${Math.round(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${sign}${h > 0 ? `${h}h` : ''}${seconds >= 60 ? `${m}m` : ''}${s}s`;
}

import { formatDuration } from '@platter/units/duration';
import { formatSize } from '@platter/units/size';

/** Something that takes longer than a second tells how far it is; `done` is in bytes. */
export interface Progress {
  update(done: number): void;
  end(): void;
}
export type ProgressMode = 'bar' | 'json' | 'none';

interface Meter {
  label: string;
  total: number;
  mode: ProgressMode;
  now: () => number;
  write: (text: string) => void;
}

const everyMs = 200;

/** A bar redrawn in place, JSON lines, or nothing. */
export function meter({ label, total, mode, now, write }: Meter): Progress {
  if (mode === 'none') return { update: () => {}, end: () => {} };
  const start = now();
  let drawn = start;
  const update = (done: number) => {
    if (now() - drawn < everyMs) return;
    drawn = now();
    const facts = { label, done, total, ms: drawn - start };
    write(mode === 'json' ? `${JSON.stringify({ kind: 'Progress', ...pace(facts) })}\n` : `\r${bar(facts)}\x1b[K`);
  };
  return { update, end: () => mode === 'bar' && drawn !== start && write('\r\x1b[K') };
}

interface Pace {
  label: string;
  done: number;
  total: number;
  ms: number;
}

function pace({ label, done, total, ms }: Pace) {
  const bytesPerSecond = ms > 0 ? Math.round((done / ms) * 1000) : 0;
  const secondsLeft = bytesPerSecond > 0 ? Math.ceil((total - done) / bytesPerSecond) : null;
  return { label, done, total, bytesPerSecond, secondsLeft };
}

function bar(facts: Pace): string {
  const { label, done, total, bytesPerSecond, secondsLeft } = pace(facts);
  const filled = total > 0 ? Math.min(20, Math.floor((done / total) * 20)) : 0;
  const left = secondsLeft === null ? '' : `  ${formatDuration(secondsLeft * 1000)} left`;
  return `${label} [${'#'.repeat(filled).padEnd(20, '.')}] ${formatSize(done)} of ${formatSize(total)}  ${formatSize(bytesPerSecond)}/s${left}`;
}

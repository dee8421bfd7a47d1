import type { Change, Effect, Host, Lock, Output } from './door.ts';
import { shown } from './shown.ts';

const done: Output = { code: 0, stdout: '', stderr: '', report: '' };

function pretended(change: Change): Output | Lock | undefined {
  if (change.op === 'run') return done;
  if (change.op === 'lock') return { fd: -1, path: change.path, previous: '', release: () => {} };
  return undefined;
}

/** Looks for real and shows each change instead of making it; programs seem to have said nothing and exited 0. */
export function dry(host: Host, show: (line: string, why?: string) => void): Host {
  return {
    dry: true,
    query: (query) => host.query(query),
    change: async (change) => {
      if (change.op !== 'lock') show(shown(change), change.why);
      return pretended(change) as Effect<typeof change>;
    },
  };
}

import type { Host } from './door.ts';
import { shown } from './shown.ts';

const longest = 160;

/** One line that a person can read: bytes of a written file are cut. */
function brief(line: string): string {
  const [first = ''] = line.split('\n');
  return first.length < line.length || first.length > longest ? `${first.slice(0, longest)} ...` : line;
}

/** Tells each change, as its shell line, before it happens. */
export function narrated(host: Host, tell: (line: string) => void): Host {
  return {
    dry: host.dry,
    query: (query) => host.query(query),
    change: (change) => {
      tell(brief(shown(change)) + (change.why === undefined ? '' : `  # ${change.why}`));
      return host.change(change);
    },
  };
}

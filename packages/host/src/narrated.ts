import type { Host } from './door.ts';
import { shown } from './shown.ts';

/** Tells each change, as its shell line, before it happens. */
export function narrated(host: Host, tell: (line: string) => void): Host {
  return {
    dry: host.dry,
    query: (query) => host.query(query),
    change: (change) => {
      tell(shown(change) + (change.why === undefined ? '' : `  # ${change.why}`));
      return host.change(change);
    },
  };
}

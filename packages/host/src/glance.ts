import type { Answer, Entry, Host, Query } from './door.ts';

/** The machine at a glance: each directory is listed once, whoever asks for it again. For verbs that only look. */
export function glance(host: Host): Host {
  const listings = new Map<string, Promise<Entry[] | null>>();
  const listed = (query: Query & { op: 'list' }) => {
    const known = listings.get(query.path) ?? host.query(query);
    listings.set(query.path, known);
    return known;
  };
  return {
    dry: host.dry,
    change: (change) => host.change(change),
    query: <Q extends Query>(query: Q) =>
      (query.op === 'list' ? listed(query) : host.query(query)) as Promise<Answer<Q>>,
  };
}

import type { Host } from './door.ts';

/** Puts words in front of every program: nothing here, `nsenter -t 1 -m -u -i -n --` for a node seen from a pod. */
export function prefixed(host: Host, words: readonly string[]): Host {
  const [first, ...others] = words;
  if (first === undefined) return host;
  const within = <T extends { op: string }>(action: T): T =>
    'program' in action && 'args' in action
      ? { ...action, program: first, args: [...others, action.program, ...(action.args as string[])] }
      : action;
  return {
    dry: host.dry,
    query: (query) => host.query(within(query)),
    change: (change) => host.change(within(change)),
  };
}

import type { Answer, Change, Effect, Host, Query } from './door.ts';
import { Failure } from './failure.ts';

/** One look or change and what came of it, as it crossed the door. */
export interface Crossing {
  asked: unknown;
  answer?: unknown;
  failure?: { kind: Failure['kind']; message: string };
}

const tag = (_: string, value: unknown) => {
  if (typeof value === 'bigint') return { $int: String(value) };
  return value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString('base64') } : value;
};
const untag = (_: string, value: unknown) => {
  const { $int, $bytes } = (value ?? {}) as { $int?: string; $bytes?: string };
  if ($int !== undefined) return BigInt($int);
  return $bytes === undefined ? value : new Uint8Array(Buffer.from($bytes, 'base64'));
};
/** What can be kept of a look or change: open files, buffers and watchers are left out. */
const kept = (action: Query | Change): unknown => {
  const { inherit, watch, until, held, into, ...rest } = action as Record<string, unknown>;
  return JSON.parse(JSON.stringify(rest, tag), untag);
};

/** Writes each crossing of a real run as one JSON line. */
export function recorded(host: Host, line: (text: string) => void): Host {
  const cross = async <A extends Query | Change, T>(action: A, go: () => Promise<T>): Promise<T> => {
    const asked = kept(action);
    try {
      const answer = await go();
      line(JSON.stringify({ asked, answer }, tag));
      return answer;
    } catch (error) {
      if (error instanceof Failure)
        line(JSON.stringify({ asked, failure: { kind: error.kind, message: error.message } }, tag));
      throw error;
    }
  };
  return {
    dry: host.dry,
    query: (query) => cross(query, () => host.query(query)),
    change: (change) => cross(change, () => host.change(change)),
  };
}

/** Answers from a recording, strictly in its order; another look or change than the recorded one throws. */
export function replayed(lines: readonly string[]): Host {
  const crossings = lines.map((text) => JSON.parse(text, untag) as Crossing);
  let next = 0;
  const answer = async (action: Query | Change): Promise<unknown> => {
    const crossing = crossings[next];
    next += 1;
    const [asked, expected] = [JSON.stringify(kept(action), tag), JSON.stringify(crossing?.asked, tag)];
    if (crossing === undefined || asked !== expected)
      throw new Error(`crossing ${next} is ${asked}, recorded ${expected}`);
    if (crossing.failure) throw new Failure(crossing.failure.kind, crossing.failure.message);
    return crossing.answer;
  };
  return {
    dry: false,
    query: async (query) => (await answer(query)) as Answer<typeof query>,
    change: async (change) => (await answer(change)) as Effect<typeof change>,
  };
}

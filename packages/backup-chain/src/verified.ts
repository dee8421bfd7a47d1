import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import type { Tally } from './pouring.ts';
import type { Errand, RestoreWish } from './restore.ts';
import type { Source } from './sources.ts';
import { verifyFull, verifySample } from './verifying.ts';

/** What a restore came to. */
export interface Outcome {
  tally: Tally;
  verifiedBytes: number;
  content: string | null;
}

/** Where samples are taken: the same places for the same state. */
const seedOf = ({ point, stack }: Source): number =>
  point === null ? stack.virtualSize / 512 : Number.parseInt(point.stateId.slice(0, 8), 16);

function refuseMoved({ stack }: Source): void {
  const moved = stack.links.find(({ held }) => !held.same());
  if (moved === undefined) return;
  throw new Failure('corrupt', `${moved.name} changed while it was read: what was restored is not to be trusted`);
}

/** Reads a target back as far as was asked; 5 where it, or a layer it came from, is not what it was. */
export async function verify(
  { source }: Errand,
  held: Held,
  wish: RestoreWish,
): Promise<Pick<Outcome, 'verifiedBytes' | 'content'>> {
  const { stack, point } = source;
  refuseMoved(source);
  const look = { target: held, virtualSize: stack.virtualSize, workers: wish.workers };
  const recorded = point?.contentSha256 ?? null;
  if (wish.verify === 'none') return { verifiedBytes: 0, content: recorded };
  if (wish.verify === 'full')
    return { verifiedBytes: stack.virtualSize, content: await verifyFull(look, stack, recorded) };
  return { verifiedBytes: await verifySample(look, stack, seedOf(source)), content: recorded };
}

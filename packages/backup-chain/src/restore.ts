import type { Call } from '@platter/command/call';
import { truncate } from '@platter/host/changes';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { differing } from './difference.ts';
import { clusterSize } from './layout.ts';
import type { Tally } from './pouring.ts';
import { convertStack, showConversion } from './qemu.ts';
import { partOf, settle, writeFile } from './raw-file.ts';
import { clearTail, type Manner, writeTarget } from './restoring.ts';
import type { Source } from './sources.ts';
import { summarise } from './summary.ts';
import type { TargetWish } from './target.ts';
import type { Target } from './targeting.ts';
import { type Outcome, verify } from './verified.ts';

/** How to restore, as it was said. */
export interface RestoreWish extends TargetWish, Manner {
  engine: 'auto' | 'native' | 'qemu';
  check: 'data' | 'none';
  verify: 'sample' | 'full' | 'none';
}

/** A chain and where it goes; both were judged. */
export interface Errand {
  source: Source;
  target: Target;
}

const unchecked = ({ stack }: Source): Source['stack'] => ({
  ...stack,
  links: stack.links.map((link) => ({ ...link, unchecked: true })),
});

async function fill(
  call: Call<unknown>,
  { source }: Errand,
  [held, manner, wish]: readonly [Held, Manner, RestoreWish],
): Promise<Tally> {
  const label = `restore ${source.name}`;
  const stack = wish.check === 'none' ? unchecked(source) : source.stack;
  if (wish.engine !== 'qemu') return writeTarget({ call, stack, target: held, manner, label });
  call.note('qemu-img writes in no order: until it ends the target may look whole and is not');
  await convertStack(call, source.stack, held);
  await clearTail(call.host, { target: held, stack, manner });
  return { written: source.stack.virtualSize, skipped: 0, zeroed: 0 };
}

async function toDevice(call: Call<unknown>, errand: Errand, wish: RestoreWish): Promise<Outcome> {
  const held = errand.target.held as Held;
  const tally = await fill(call, errand, [held, wish, wish]);
  return { tally, ...(await verify(errand, held, wish)) };
}

/** A file that exists, in place: only with --delta, and asked for by name. */
async function inPlace(call: Call<unknown>, errand: Errand, wish: RestoreWish): Promise<Outcome> {
  const { path, size } = errand.target.facts;
  const needed = errand.source.stack.virtualSize;
  if (size < needed || (size > needed && !wish.keepTail)) await call.host.change(truncate(path, needed));
  const held = await call.host.query(hold(path, { write: true, direct: true }));
  return toDevice(call, { ...errand, target: { ...errand.target, held } }, wish);
}

async function toFile(call: Call<unknown>, errand: Errand, wish: RestoreWish): Promise<Outcome> {
  const { source, target } = errand;
  const { path } = target.facts;
  const file = { path, part: partOf(path, source.point?.id ?? 'loose'), size: source.stack.virtualSize };
  let verified: Pick<Outcome, 'verifiedBytes' | 'content'> = { verifiedBytes: 0, content: null };
  const tally = await writeFile(call, {
    file,
    bytes: (await summarise(source.stack)).dataBytes,
    fill: (held, left) => fill(call, errand, [held, { ...wish, delta: left }, wish]),
    verify: async (held) => {
      verified = await verify(errand, held, wish);
    },
  });
  return { tally, ...verified };
}

/** A file that a restore of this point made whole: only its other name is in the way. */
async function settled(call: Call<unknown>, errand: Errand, wish: RestoreWish): Promise<Outcome> {
  const { source, target } = errand;
  const { path, said } = target.facts;
  const held = await call.host.query(hold(path, { direct: true }));
  const look = { target: held, virtualSize: source.stack.virtualSize, workers: wish.workers };
  if (held.size !== look.virtualSize || (await differing(look, source.stack)) !== null)
    throw new Failure('refused', `will not write ${said}: it is a file that exists`, { hint: 'choose a new name' });
  await settle(call.host, { path, part: partOf(path, source.point?.id ?? 'loose') });
  const tally = { written: 0, skipped: look.virtualSize, zeroed: 0 };
  const verified = await verify(errand, held, wish);
  held.close();
  return { tally, ...verified };
}

function perform(call: Call<unknown>, errand: Errand, wish: RestoreWish): Promise<Outcome> {
  if (errand.target.held !== null) return toDevice(call, errand, wish);
  if (errand.target.facts.unfinished && wish.file) return settled(call, errand, wish);
  return errand.target.facts.kind === 'file' ? inPlace(call, errand, wish) : toFile(call, errand, wish);
}

/** Restores one chain to its target and tells what was done; null in a dry run, which shows the words of it. */
export async function restore(call: Call<unknown>, errand: Errand, wish: RestoreWish) {
  const { source, target } = errand;
  if (call.host.dry) return showConversion(call.host, source.stack, target.facts.path).then(() => null);
  const begun = call.now();
  const { tally, verifiedBytes, content } = await perform(call, errand, wish);
  target.held?.close();
  return {
    apiVersion: 'platter.dev/v1' as const,
    kind: 'Restore' as const,
    metadata: { name: source.name },
    target: target.facts.path,
    engine: wish.engine === 'qemu' ? ('qemu' as const) : ('native' as const),
    virtualSize: source.stack.virtualSize,
    bytesWritten: tally.written,
    bytesSkipped: Math.min(tally.skipped, Math.ceil(source.stack.virtualSize / clusterSize) * clusterSize),
    bytesZeroed: tally.zeroed,
    checked: source.point !== null && wish.check === 'data' && wish.engine !== 'qemu',
    verify: wish.verify,
    verifiedBytes,
    contentSha256: content,
    seconds: (call.now() - begun) / 1000,
    exit: 0,
  };
}

import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { run } from '@platter/host/looks';
import { type Check, keepCheck } from './checked.ts';
import { type Clock, Pace } from './pace.ts';
import type { Repo } from './repository.ts';
import { type Damage, damageIn, type Reading } from './scrub-file.ts';
import { mayGoOn, type ScrubLimits, type Subject, scrubOrder } from './scrub-plan.ts';
import { scopeOf } from './scrub-scope.ts';

export interface ScrubWish extends ScrubLimits {
  repo: Repo;
  /** Addresses; none is the whole repository. */
  names: readonly string[];
  /** Bytes a second; null is as fast as it goes. */
  rate: number | null;
  workers: number;
}

/** What is known when a file was read, or of no file in particular. */
export interface Scrubbed {
  subject: Subject | null;
  damage: Damage[];
  check: Check | null;
  /** Why it could not be read to its end. */
  unread: Failure | null;
}

/** Time as the machine has it; sleep(1) ends with a signal that ends us. */
const clockOf = ({ host, now }: Call<unknown>): Clock => ({
  now,
  wait: async (ms) => {
    await host.query(run('sleep', [String(Math.ceil(ms) / 1000)], { timeout: ms + 60_000 }));
  },
});

/** A file that cannot be read is told of, and the others are read all the same. */
async function attempt(call: Call<unknown>, subject: Subject, reading: Reading): Promise<Scrubbed | null> {
  try {
    const damage = await damageIn(call.host, subject, reading);
    if (damage === null) return null;
    const check = { at: new Date(call.now()).toISOString(), ok: damage.length === 0 };
    await keepCheck(call, subject.disk, [subject.point.data.file, check]);
    return { subject, damage, check, unread: null };
  } catch (error) {
    if (!(error instanceof Failure) || !['failed', 'busy'].includes(error.kind)) throw error;
    return { subject, damage: [], check: null, unread: error };
  }
}

const nothing = { subject: null, check: null, unread: null };

/** Shows in a dry run which files would be read, in their order. */
async function showOrder({ host }: Call<unknown>, order: readonly Subject[]): Promise<void> {
  for (const { path } of order) await host.change(run('sha256sum', ['--', path]));
}

/** Reads data files again, least recently checked first, and notes beside them when that was (spec 3.13). */
export async function* scrub(call: Call<{ wait: number }>, wish: ScrubWish): AsyncGenerator<Scrubbed> {
  const { subjects, findings } = await scopeOf(call, wish);
  const begun = call.now();
  const order = scrubOrder(subjects, wish, begun);
  if (findings.length > 0) yield { ...nothing, damage: findings.map((finding) => ({ finding, guest: null })) };
  if (call.host.dry) return showOrder(call, order);
  const reading = { pace: new Pace(clockOf(call), wish.rate), workers: wish.workers };
  const progress = call.progress(
    'scrub',
    order.reduce((sum, { point }) => sum + point.data.size, 0),
  );
  let bytes = 0;
  for (const subject of order) {
    if (!mayGoOn(wish, { time: call.now() - begun, bytes })) break;
    const scrubbed = await attempt(call, subject, reading);
    bytes += subject.point.data.size;
    progress.update(bytes);
    if (scrubbed !== null) yield scrubbed;
  }
  progress.end();
}

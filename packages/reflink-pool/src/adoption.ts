import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { type AdoptWish, adopt, type Refused } from './adopt.ts';
import { volumeRecord } from './look.ts';
import { adoptedText, refusedText } from './shown/adopt.ts';
import type { Volume } from './volume.ts';

/** Volumes as they are adopted, then the families that are not, each with the way out. */
export async function tellAdoption(call: Call<unknown>, path: string, wish: AdoptWish): Promise<void> {
  const refused: Refused[] = [];
  let tried: readonly string[] = [];
  const wide = () => Math.max(...tried.map(({ length }) => length));
  for await (const { pool, names, ...end } of adopt(call, path, wish)) {
    tried = names;
    if (end.volume === undefined) {
      refused.push(end);
      continue;
    }
    const record = await volumeRecord(pool, end.volume);
    const text = adoptedText(record, end.outcome, wide());
    await call.emit({ ...record, outcome: end.outcome }, { text, name: end.name });
    if (end.outcome === 'already') noteKept(call, end.volume, wish);
  }
  if (tried.length > 1) await tellRefused(call, refused, wide());
  if (refused.length < tried.length)
    call.note('let no other driver use these volumes meanwhile: it does not know our locks');
  refuse(refused, tried.length);
}

/** What was adopted before keeps its policy, whatever was said now. */
function noteKept(call: Call<unknown>, { name, file }: Volume, { policy }: AdoptWish): void {
  if (policy === null || policy === file.policy) return;
  call.note(`${name} keeps its policy: reflink-pool prune ${name} --policy ${policy} --save`);
}

async function tellRefused(call: Call<unknown>, refused: readonly Refused[], width: number): Promise<void> {
  for (const { name, failure } of refused) {
    const { kind, message, hint } = failure;
    const about = { metadata: { name }, failure: kind, message, ...(hint === undefined ? {} : { hint }) };
    const text = refusedText(name, failure, width);
    if (kind !== 'refused') call.warn(`${name} could not be adopted: ${message}`);
    await call.emit({ apiVersion: 'platter.dev/v1', kind: 'Failure', ...about }, { text });
  }
}

/** A single family fails as itself; of several the verb ends as what all have in common, else as partial. */
function refuse(refused: readonly Refused[], tried: number): void {
  const [first] = refused;
  if (first === undefined) return;
  if (tried === 1) throw first.failure;
  const alike = refused.length === tried && refused.every(({ failure }) => failure.kind === first.failure.kind);
  throw new Failure(alike ? first.failure.kind : 'partial', `${refused.length} of ${tried} were refused`, {
    hint: 'what each line says, then reflink-pool adopt again',
  });
}

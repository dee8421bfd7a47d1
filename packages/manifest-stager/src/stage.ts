import type { Call } from '@platter/command/call';
import { checkName } from '@platter/units/name';
import { perform } from './change.ts';
import type { Candidate } from './conflict.ts';
import type { Consumer } from './consumer.ts';
import { sha256 } from './hash.ts';
import { readInput } from './input.ts';
import { type Mode, manifestName } from './manifest.ts';
import { tell } from './outcome.ts';
import { type Place, placeOf } from './place.ts';
import { find } from './staged.ts';

type Flags = Place & { consumer: Consumer; 'first-boot': boolean; 'if-sha'?: string | undefined };

/**
 * Puts content under a name, new or not: the name is checked first, then the content is read whole and judged, and
 * only then is the machine looked at. What replaces is judged for the mode its name has.
 */
export async function stage(call: Call<Flags>, verb: 'add' | 'replace'): Promise<void> {
  const [name = '', source = ''] = call.words;
  checkName(manifestName, name);
  const { file, content } = await readInput(call, source);
  const { acceptable, readable } = await import('./lint/judge.ts');
  const place = placeOf(call.flags, call.cwd);
  const { consumer, 'if-sha': ifSha } = call.flags;
  const items = readable(content, file);
  const candidate = { name, mode: await modeOf(call, place, verb), consumer };
  const objects = acceptable({ ...candidate, items }, file);
  const check = () => refuseConflict(call, place, { ...candidate, objects });
  const wish = { verb, name, mode: candidate.mode, sha256: sha256(content), ifSha };
  await tell(call, await perform(call, { place, wish, content, check }));
}

async function modeOf(call: Call<Flags>, place: Place, verb: 'add' | 'replace'): Promise<Mode> {
  if (call.flags['first-boot']) return 'first-boot';
  if (verb === 'add') return 'every-boot';
  const found = await find(call.host, place, call.words[0] ?? '');
  return found['every-boot'] === null && found['first-boot'] !== null ? 'first-boot' : 'every-boot';
}

async function refuseConflict({ host, warn }: Call<unknown>, place: Place, candidate: Candidate): Promise<void> {
  const [{ conflict }, { neighbours }] = await Promise.all([import('./conflict.ts'), import('./neighbours.ts')]);
  const others = await neighbours(host, place, candidate);
  const met = conflict(candidate, others);
  if (met !== undefined) throw met;
  for (const { path, unreadable } of others)
    if (unreadable !== undefined) warn(`${path}: could not tell its objects: ${unreadable}`);
}

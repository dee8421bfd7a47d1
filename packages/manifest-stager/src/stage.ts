import type { Call } from '@platter/command/call';
import { checkName } from '@platter/units/name';
import { perform } from './change.ts';
import { type Candidate, conflict } from './conflict.ts';
import type { Consumer } from './consumer.ts';
import { sha256 } from './hash.ts';
import { readInput } from './input.ts';
import { acceptable, readable } from './lint/judge.ts';
import { type Mode, manifestName } from './manifest.ts';
import { neighbours } from './neighbours.ts';
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
  const place = placeOf(call.flags, call.cwd);
  const { consumer, 'if-sha': ifSha } = call.flags;
  const items = readable(content, file);
  const candidate = { name, mode: await modeOf(call, place, verb), consumer };
  const objects = acceptable({ ...candidate, items }, file);
  const warn = once(call.warn);
  const check = () => refuseConflict({ host: call.host, warn }, place, { ...candidate, objects });
  const wish = { verb, name, mode: candidate.mode, sha256: sha256(content), ifSha };
  await tell(call, await perform(call, { place, wish, content, check }));
}

async function modeOf(call: Call<Flags>, place: Place, verb: 'add' | 'replace'): Promise<Mode> {
  if (call.flags['first-boot']) return 'first-boot';
  if (verb === 'add') return 'every-boot';
  const found = await find(call.host, place, call.words[0] ?? '');
  return found['every-boot'] === null && found['first-boot'] !== null ? 'first-boot' : 'every-boot';
}

async function refuseConflict(
  { host, warn }: Pick<Call, 'host' | 'warn'>,
  place: Place,
  candidate: Candidate,
): Promise<void> {
  const others = await neighbours(host, place, candidate);
  const met = conflict(candidate, others);
  if (met !== undefined) throw met;
  const unreadable = others.filter((other) => other.unreadable !== undefined);
  for (const { path, unreadable: why } of unreadable) warn(`${path}: could not tell its objects: ${why}`);
}

/** Says nothing twice: conflicts are looked for before the folder is made, and again under its lock. */
function once(say: (text: string) => void): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) say(text);
    said.add(text);
  };
}

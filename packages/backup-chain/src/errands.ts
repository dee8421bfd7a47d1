import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { parsePair } from './address.ts';
import { partOf } from './raw-file.ts';
import type { Errand, RestoreWish } from './restore.ts';
import { restoreScript } from './script.ts';
import { openSources, type Source, type SourceFlags } from './sources.ts';
import { aimAt } from './targeting.ts';

export interface ErrandFlags extends SourceFlags {
  to: string[];
  disk: string | undefined;
  file: boolean;
}

const usage = (message: string, hint: string): Failure => new Failure('usage', message, { hint });

/** Where each chain goes: a set's disks by their names, a single one as it is said. */
function aims({ flags, cwd }: Call<ErrandFlags>, sources: readonly Source[], isSet: boolean): Map<Source, string> {
  if (flags.to.length === 0) throw usage('restore to what?', '--to TARGET');
  const [only] = sources;
  const [first = ''] = flags.to;
  const plain = !isSet || (flags.disk !== undefined && !first.startsWith(`${flags.disk}=`));
  if (plain) {
    if (flags.to.length > 1 || only === undefined) throw usage('one disk has one target', '--to TARGET');
    return new Map([[only, resolve(cwd, first)]]);
  }
  const pairs = new Map(flags.to.map((word) => reading('--to', () => parsePair(word, 'DISK=TARGET'))));
  const unknown = [...pairs.keys()].find((name) => !sources.some(({ disk }) => disk === name));
  if (unknown !== undefined)
    throw usage(`the set has no disk ${unknown}`, `its disks are ${sources.map(({ disk }) => disk).join(', ')}`);
  const without = sources.find(({ disk }) => !pairs.has(disk ?? ''));
  if (without)
    throw usage(
      `no target for the disk ${without.disk}`,
      `--to ${without.disk}=TARGET, or --disk NAME for a part of the set`,
    );
  return new Map(sources.map((source) => [source, resolve(cwd, pairs.get(source.disk ?? '') as string)]));
}

/** Opens all chains and aims at all targets before anything is written; by the names of the chains. */
export async function prepareErrands(call: Call<ErrandFlags>, wish: RestoreWish): Promise<Map<string, Errand>> {
  const { sources, isSet } = await openSources(call, call.flags.disk);
  const errands = new Map<string, Errand>();
  for (const [source, said] of aims(call, sources, isSet)) {
    const part = (path: string) => partOf(path, source.point?.id ?? 'loose');
    const taken = [...errands.values()].map(({ target }) => target.facts.path);
    const aim = { said, needed: source.stack.virtualSize, sources: source.places, part, taken };
    const target = await aimAt(call.host, wish, aim);
    errands.set(source.name, { source, target });
  }
  return errands;
}

/** Prints a script that would do it with qemu-img. */
export async function scriptFor(call: Call<ErrandFlags>): Promise<void> {
  const { sources, isSet } = await openSources(call, call.flags.disk);
  const { file } = call.flags;
  const jobs = [...aims(call, sources, isSet)].map(([source, path]) => ({ source, path, file }));
  await call.write(new TextEncoder().encode(`${restoreScript(jobs).join('\n')}\n`));
}

import { resolve as resolvePath } from 'node:path';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { addressName } from './address.ts';
import { goalOf } from './beside.ts';
import { chainOf } from './chain.ts';
import type { ChainSource } from './export-chain.ts';
import { type Exported, type ExportWish, exportRecord } from './exporting.ts';
import { openRepository } from './repository.ts';
import { type Found, resolve } from './resolving.ts';
import { rootOf } from './root.ts';
import { openFound } from './sources.ts';

export interface ExportFlags {
  repo: string | undefined;
  flat: string | undefined;
  chain: string | undefined;
  workers: number;
  wait: number;
}

const forms = ['flat', 'chain'] as const;
type Form = (typeof forms)[number];

const usage = (message: string, hint: string): Failure => new Failure('usage', message, { hint });

/** The one form that was said, and where it goes. */
function formOf(flags: ExportFlags): [form: Form, to: string] {
  const said = forms.flatMap((form) => {
    const to = flags[form];
    return to === undefined ? [] : [[form, to] as [Form, string]];
  });
  const [one, ...more] = said;
  if (one !== undefined && more.length === 0) return one;
  throw usage('as what?', 'one of --flat FILE, --chain DIR');
}

/** The chains of what is meant, each with its points. */
async function chainsOf(call: Call<ExportFlags>, found: Found): Promise<ChainSource[]> {
  const sources = await openFound(call, found);
  return sources.map((source) => {
    const disk = found.facts.disks.find(({ name }) => name === source.disk);
    const id = source.point?.id;
    return { source, points: disk && id ? chainOf({ facts: found.facts, disk }, id).links : [] };
  });
}

function single(chains: readonly ChainSource[], form: Form): ChainSource {
  const [one, ...more] = chains;
  if (one !== undefined && more.length === 0) return one;
  const disks = chains.map(({ source }) => source.disk).join(', ');
  throw usage(`--${form} exports one disk, and the set has several: ${disks}`, 'NS/VM/DISK@REF');
}

async function perform(
  call: Call<ExportFlags>,
  [form, wish]: readonly [Form, ExportWish],
  chains: readonly ChainSource[],
): Promise<Exported> {
  const one = single(chains, form);
  if (form === 'chain') return (await import('./export-chain.ts')).exportChain(call, one, wish);
  return (await import('./export-flat.ts')).exportFlat(call, one.source, wish);
}

const nameOf = (found: Found): string => {
  const { namespace, vm } = found.facts;
  const [disk, ref] = found.kind === 'point' ? [found.disk.name, found.id] : [null, found.set.id];
  return addressName({ namespace, vm, disk, ref });
};

/** Exports what an address means, in the form that was said (spec 3.16); the repository is only read. */
export async function exported(call: Call<ExportFlags>, word: string) {
  const [form, to] = formOf(call.flags);
  const root = rootOf(call);
  const found = await resolve(call.host, await openRepository(call.host, root), word);
  const goal = await goalOf(call.host, resolvePath(call.cwd, to), root);
  const done = await perform(call, [form, { goal, workers: call.flags.workers }], await chainsOf(call, found));
  return exportRecord(nameOf(found), form, done);
}

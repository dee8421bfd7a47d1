import { dirname, resolve as resolvePath } from 'node:path';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { addressName, isId } from './address.ts';
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
  oadp: string | undefined;
  backup: string | undefined;
  workers: number;
  wait: number;
}

const forms = ['flat', 'chain', 'oadp'] as const;
type Form = (typeof forms)[number];

const usage = (message: string, hint: string): Failure => new Failure('usage', message, { hint });

/** The one form that was said, and where it goes. */
function formOf(flags: ExportFlags): [form: Form, to: string] {
  const said = forms.flatMap((form) => {
    const to = flags[form];
    return to === undefined ? [] : [[form, to] as [Form, string]];
  });
  const [one, ...more] = said;
  if (one === undefined || more.length > 0) throw usage('as what?', 'one of --flat FILE, --chain DIR, --oadp DIR');
  if ((one[0] === 'oadp') !== (flags.backup !== undefined))
    throw usage('--oadp DIR and --backup NAME go together', '--oadp DIR --backup NAME');
  if (flags.backup === undefined || isId(flags.backup)) return one;
  throw usage(`--backup: ${JSON.stringify(flags.backup)} is no name of a backup`, 'letters, digits, ".", "_" and "-"');
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
  { found, chains }: { found: Found; chains: readonly ChainSource[] },
): Promise<Exported> {
  if (form === 'oadp') {
    if (found.kind === 'point') throw usage('--oadp exports a set', 'NS/VM@REF');
    const { facts, set } = found;
    const { exportOadp } = await import('./export-oadp.ts');
    return exportOadp(call, { facts, set, chains }, { ...wish, backup: call.flags.backup as string });
  }
  const one = single(chains, form);
  if (form === 'chain') return (await import('./export-chain.ts')).exportChain(call, one, wish);
  return (await import('./export-flat.ts')).exportFlat(call, one.source, wish);
}

const nameOf = (found: Found): string => {
  const { namespace, vm } = found.facts;
  const [disk, ref] = found.kind === 'point' ? [found.disk.name, found.id] : [null, found.set.id];
  return addressName({ namespace, vm, disk, ref });
};

/** Where an export goes: a new name, or the real path of a tree. */
async function placeOf({ host, cwd }: Call<unknown>, [form, to]: readonly [Form, string], root: string) {
  const said = resolvePath(cwd, to);
  return form === 'oadp' ? dirname(await goalOf(host, `${said}/manifests`, root)) : goalOf(host, said, root);
}

/** Exports what an address means, in the form that was said (spec 3.16); the repository is only read. */
export async function exported(call: Call<ExportFlags>, word: string) {
  const [form, to] = formOf(call.flags);
  const root = rootOf(call);
  const found = await resolve(call.host, await openRepository(call.host, root), word);
  const goal = await placeOf(call, [form, to], root);
  const done = await perform(call, [form, { goal, workers: call.flags.workers }], {
    found,
    chains: await chainsOf(call, found),
  });
  return exportRecord(nameOf(found), form, done);
}

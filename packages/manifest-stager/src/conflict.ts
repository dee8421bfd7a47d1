import { Failure } from '@platter/host/failure';
import { dnsLabel } from '@platter/units/name';
import { addonFor, type Consumer, readers } from './consumer.ts';
import { fileOf, type Mode } from './manifest.ts';
import { type Identity, keyOf, labelOf } from './objects.ts';

/** A file that is staged or installed already: its AddOn, when the consumer makes one of it, and its objects. */
export interface Neighbour {
  path: string;
  addon: string | null;
  objects: readonly Identity[];
  /** Why its objects cannot be told. */
  unreadable: string | undefined;
}

/** A manifest about to be staged. */
export interface Candidate {
  name: string;
  mode: Mode;
  consumer: Consumer;
  objects: readonly Identity[];
}

/** Why a manifest cannot lie beside what is there: rules K103, K102 and G105; undefined when it can. */
export function conflict(candidate: Candidate, neighbours: readonly Neighbour[]): Failure | undefined {
  const { name, mode, consumer } = candidate;
  const addon = mode === 'every-boot' ? addonFor(consumer, fileOf(name)) : null;
  const taken = (free: string) => readers[consumer].reserved(free) || neighbours.some((one) => one.addon === free);
  if (addon !== null && readers[consumer].reserved(addon))
    return refused(`will not stage ${name}: AddOn "${addon}" is one of ${consumer}'s own`, {
      details: { rule: 'K103' },
      hint: freeName(`my-${name}`, taken),
    });
  const twin = addon === null ? undefined : neighbours.find((one) => one.addon === addon);
  if (twin !== undefined)
    return refused(`will not stage ${name}: AddOn "${addon}" is also ${twin.path}`, {
      details: {
        rule: 'K102',
        why: `${consumer} names an AddOn by the text before the first dot, and each prunes the other`,
      },
      hint: freeName(name, taken),
    });
  return shared(candidate, neighbours);
}

function shared({ name, objects }: Candidate, neighbours: readonly Neighbour[]): Failure | undefined {
  const keys = new Set(objects.map(keyOf));
  for (const { path, objects: theirs } of neighbours) {
    const both = theirs.find((object) => keys.has(keyOf(object)));
    if (both === undefined) continue;
    const details = { rule: 'G105', why: 'the two files overwrite each other, and k3s prunes what the other applied' };
    return refused(`will not stage ${name}: ${labelOf(both)} is also in ${path}`, {
      details,
      hint: 'keep each object in one file',
    });
  }
  return undefined;
}

const refused = (message: string, notes: { details: Record<string, string>; hint: string }) =>
  new Failure('refused', message, notes);

/** A name like this one whose AddOn is legal and not taken: without dots, counted up where needed. */
export function freeName(name: string, taken: (addon: string) => boolean): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, dnsLabel.max - 4)
    .replace(/-+$/, '');
  const counted = Array.from({ length: 999 }, (_, n) => (n === 0 ? plain : `${plain}-${n + 1}`));
  return counted.find((free) => !taken(free)) ?? plain;
}

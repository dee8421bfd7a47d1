import type { Call } from '@platter/command/call';
import { remove, sync } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { replaceWhole } from '@platter/host/whole';
import { checkName, dnsLabel } from '@platter/units/name';
import { temporary } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import type { Manifest } from './manifest-kinds.ts';
import { ensureFolder } from './publish.ts';
import type { VmFacts } from './repository.ts';

type Pin = Omit<Manifest<'Pin'>, 'createdAt' | 'self'>;

/** The name of a pin, without a dot: it ends the file's name, after the id of a set. Invalid with the rule. */
export const parsePinName = (text: string): string => checkName({ ...dnsLabel, what: 'name of a pin' }, text);

const fileOf = (set: string, name: string): string => `${set}.${name}.json`;

const known = ({ pins }: VmFacts, set: string, name: string) => pins.find((pin) => pin.name === fileOf(set, name));

const same = (a: Pin, b: Pin): boolean => a.name === b.name && a.reason === b.reason && a.until === b.until;

/** Pins a set, whole or not at all: the rename is the commit. False when it was pinned just so before. */
export async function pin(
  call: Call<unknown>,
  facts: VmFacts,
  { set, wish }: { set: string; wish: Pin },
): Promise<boolean> {
  const before = known(facts, set, wish.name)?.value;
  if (before && same(before, wish)) return false;
  const { pins } = facts.paths;
  const name = fileOf(set, wish.name);
  await ensureFolder(call.host, pins);
  const data = manifestText(seal({ ...wish, createdAt: new Date(call.now()).toISOString() }));
  await replaceWhole(call.host, { path: `${pins}/${name}`, temp: `${pins}/${temporary}${name}`, data, mode: 0o444 });
  return true;
}

/** Takes a pin off a set; false when there is none of this name. */
export async function unpin(
  call: Call<unknown>,
  facts: VmFacts,
  { set, name }: { set: string; name: string },
): Promise<boolean> {
  const found = known(facts, set, name);
  if (found === undefined) return false;
  await call.host.change(because(remove(found.path), `${name} is taken off ${set}`));
  await call.host.change(sync(facts.paths.pins));
  return true;
}

import { dirname, resolve } from 'node:path';
import { majorMinor } from '@platter/host/device';
import type { Host, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, realpath, stat, text } from '@platter/host/looks';
import { signature } from '@platter/host/tools/blkid';
import { type Content, judgeContent, judgeTarget, type TargetFacts, type TargetWish } from './target.ts';

/** A target that may be written: a device held to the end, or the place of a file. */
export interface Target {
  facts: TargetFacts;
  held: Held | null;
}

/** Follows symbolic links, also of the folder of a name that is not there yet. */
async function resolved(host: Host, path: string): Promise<string> {
  const real = await host.query(realpath(path));
  if (real !== null) return real;
  const folder = await host.query(realpath(dirname(path)));
  return folder === null ? path : resolve(folder, path.slice(path.lastIndexOf('/') + 1));
}

const fact = async (host: Host, path: string): Promise<string | null> => (await host.query(text(path)))?.trim() ?? null;

async function deviceFacts(host: Host, { rdev }: Stat) {
  const folder = `/sys/dev/block/${majorMinor(rdev)}`;
  const sector =
    (await fact(host, `${folder}/queue/logical_block_size`)) ??
    (await fact(host, `${folder}/../queue/logical_block_size`));
  return {
    size: Number((await fact(host, `${folder}/size`)) ?? 0) * 512,
    sector: Number(sector ?? 512),
    readOnly: (await fact(host, `${folder}/ro`)) !== '0',
  };
}

/** Whether a path lies on a device, or on a part of it. */
async function liesOn(host: Host, path: string, target: Stat): Promise<boolean> {
  const found = await host.query(stat(path));
  if (found === null) return false;
  if (found.dev === target.rdev) return true;
  const [part, whole] = [
    await host.query(realpath(`/sys/dev/block/${majorMinor(found.dev)}`)),
    await host.query(realpath(`/sys/dev/block/${majorMinor(target.rdev)}`)),
  ];
  return part !== null && whole !== null && part.startsWith(`${whole}/`);
}

async function factsOf(host: Host, said: string, sources: readonly string[]): Promise<TargetFacts> {
  const path = await resolved(host, said);
  const found = await host.query(stat(path));
  const base = { said, path, size: found?.size ?? 0, sector: 512, readOnly: false, holdsSource: false };
  if (found?.kind !== 'block') return { ...base, kind: found?.kind ?? 'absent' };
  const on = await Promise.all(sources.map((source) => liesOn(host, source, found)));
  return { ...base, kind: 'block', ...(await deviceFacts(host, found)), holdsSource: on.includes(true) };
}

/** What blkid finds on a device; anything but a clear yes or no is "could not tell". */
async function contentOf(host: Host, path: string): Promise<Content> {
  try {
    const found = await signature(host, path);
    if (found === null) return { what: 'nothing' };
    const type = found.TYPE ?? (found.PTTYPE === undefined ? 'something' : `a ${found.PTTYPE} partition table`);
    return { what: 'something', name: found.LABEL === undefined ? type : `${type} ${JSON.stringify(found.LABEL)}` };
  } catch (error) {
    if (error instanceof Failure && error.kind === 'failed') return { what: 'unknown', why: error.message };
    throw error;
  }
}

/** What is asked of a target: how it was said, how large it must be, and where what is restored lies. */
export interface Aim {
  said: string;
  needed: number;
  sources: readonly string[];
}

/** Judges a target and, when it is a device, holds it to the end of the run (spec 3.8). */
export async function aimAt(host: Host, wish: TargetWish, { said, needed, sources }: Aim): Promise<Target> {
  const facts = await factsOf(host, said, sources);
  const refusal = judgeTarget(facts, wish, needed);
  if (refusal !== null) throw refusal;
  if (facts.kind !== 'block') return { facts, held: null };
  const held = await host.query(hold(facts.path, { write: true, exclusive: true, direct: true }));
  const objection = judgeContent(facts, wish, [await contentOf(host, facts.path), needed]);
  if (objection === null) return { facts, held };
  held.close();
  throw objection;
}

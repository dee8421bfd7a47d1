import { dirname, resolve } from 'node:path';
import { majorMinor } from '@platter/host/device';
import type { Host, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { hold, lstat, realpath, stat, text } from '@platter/host/looks';
import { signature } from '@platter/host/tools/blkid';
import { type Content, judgeContent, judgeTarget, type TargetFacts, type TargetWish } from './target.ts';
import { usersOf } from './users.ts';

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

const same = (a: Stat | null, b: Stat | null): boolean => a !== null && a.dev === b?.dev && a.ino === b.ino;

/** Whether a path is a source, or lies in one. */
async function isPartOf(host: Host, path: string, source: string): Promise<boolean> {
  const real = (await host.query(realpath(source))) ?? source;
  if (`${path}/`.startsWith(`${real}/`)) return true;
  return same(await host.query(stat(path)), await host.query(stat(source)));
}

/** What is there by a name that leads nowhere: a symbolic link, or nothing. */
const nothing = async (host: Host, path: string) =>
  (await host.query(lstat(path))) === null ? ('absent' as const) : ('link' as const);

async function factsOf(host: Host, { said, sources, part }: Aim): Promise<TargetFacts> {
  const path = await resolved(host, said);
  const found = await host.query(stat(path));
  const base = { said, path, size: found?.size ?? 0, sector: 512, readOnly: false, unfinished: false };
  const holds = (look: (source: string) => Promise<boolean>) =>
    Promise.all(sources.map(look)).then((answers) => answers.includes(true));
  if (found?.kind === 'block') {
    const holdsSource = await holds((source) => liesOn(host, source, found));
    return { ...base, kind: 'block', ...(await deviceFacts(host, found)), holdsSource };
  }
  const holdsSource = await holds((source) => isPartOf(host, path, source));
  const unfinished = found?.kind === 'file' && same(found, await host.query(lstat(part(path))));
  return { ...base, kind: found?.kind ?? (await nothing(host, path)), holdsSource, unfinished };
}

/** Claims a device to the end of the run; one that is in use is told with who uses it. */
async function claim(host: Host, { said, path }: TargetFacts): Promise<Held> {
  try {
    return await host.query(hold(path, { write: true, exclusive: true, direct: true }));
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'busy') throw error;
    const found = await host.query(stat(path));
    const users = found === null ? [] : await usersOf(host, found.rdev);
    const by = users.length > 0 ? users.join(', ') : 'another program holds it';
    throw new Failure('busy', `will not write ${said}: it is in use`, { details: { by }, cause: error });
  }
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
  /** What a new file at a path grows under. */
  part(path: string): string;
  /** Where other disks of the run go. */
  taken: readonly string[];
}

/** Judges a target and, when it is a device, holds it to the end of the run (spec 3.8). */
export async function aimAt(host: Host, wish: TargetWish, aim: Aim): Promise<Target> {
  const { needed } = aim;
  const facts = await factsOf(host, aim);
  if (aim.taken.includes(facts.path))
    throw new Failure('refused', `will not write ${aim.said}: two disks would go there`);
  const refusal = judgeTarget(facts, wish, needed);
  if (refusal !== null) throw refusal;
  if (facts.kind !== 'block') return { facts, held: null };
  const held = await claim(host, facts);
  const objection = judgeContent(facts, wish, [await contentOf(host, facts.path), needed]);
  if (objection === null) return { facts, held };
  held.close();
  throw objection;
}

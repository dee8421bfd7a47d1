import type { Host } from '@platter/host/door';
import { type Held, source } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { openLayer } from '@platter/qcow2/open';
import { dependents } from './chain.ts';
import { readable } from './chain-rules.ts';
import { ChunkCache, Digests, verified } from './digests.ts';
import { type Finding, finding } from './finding.ts';
import { checking, digestFindings } from './opening.ts';
import type { Pace } from './pace.ts';
import { readVm } from './repository.ts';
import { badChunks, guestOffsets, rotten } from './rot.ts';
import type { Subject } from './scrub-plan.ts';

/** A finding about a file, and where the guest has it: null when that is nowhere, or cannot be told. */
export interface Damage {
  finding: Finding;
  guest: number | null;
}

export interface Reading {
  pace: Pace;
  workers: number;
}

/** Both files of a point, held open. */
interface Files {
  data: Held;
  list: Held;
}

/** Where in the guest chunks lie; nothing when the tables that say so are damaged themselves. */
async function places({ point, path }: Subject, { data, list }: Files, offsets: readonly number[]) {
  const digests = new Digests(source(list));
  let found = new Map<number, number>();
  await checking(path, async () => {
    const bytes = verified({ source: source(data), digests, cache: new ChunkCache(), key: path });
    const layer = await openLayer(bytes, point.type === 'full' ? 'full' : 'increment');
    found = await guestOffsets({ name: path, held: data, digests, layer }, offsets);
    return [];
  });
  return found;
}

async function inFiles(subject: Subject, files: Files, { pace, workers }: Reading): Promise<Damage[]> {
  const { disk, point, path } = subject;
  const { data, list } = files;
  const told = (findings: readonly Finding[]) => findings.map((one) => ({ finding: one, guest: null }));
  const sizes = `it has ${data.size} bytes instead of ${point.data.size}`;
  if (data.size !== point.data.size) return told([finding('corrupt', ['C8', path, sizes])]);
  const strange = await digestFindings(`${disk.paths.data}/${point.digests.file}`, source(list), point);
  if (strange.length > 0) return told(strange);
  const bad: number[] = [];
  for await (const at of badChunks(pace.read(data, workers), new Digests(source(list)))) bad.push(at);
  const guest = bad.length > 0 ? await places(subject, files, bad) : new Map<number, number>();
  return bad.map((at) => ({ finding: rotten(path, at), guest: guest.get(at) ?? null }));
}

/** Reads a point's data file whole, past the page cache, against its digests. */
async function readFile(host: Host, subject: Subject, reading: Reading): Promise<Damage[]> {
  const { disk, point, path } = subject;
  const open: Held[] = [];
  const held = async (file: string, direct: boolean): Promise<Held> => {
    open.push(await host.query(hold(file, { direct })));
    return open.at(-1) as Held;
  };
  let damage: Damage[] = [];
  try {
    const findings = await checking(path, async () => {
      const files = {
        data: await held(path, true),
        list: await held(`${disk.paths.data}/${point.digests.file}`, false),
      };
      damage = await inFiles(subject, files, reading);
      return [];
    });
    return [...damage, ...findings.map((one) => ({ finding: one, guest: null }))];
  } finally {
    for (const one of open) one.close();
  }
}

/**
 * What is wrong with a point's data file, each with every point that is lost with it; null when no manifest names the
 * file any more: then it was merged or pruned meanwhile.
 */
export async function damageIn(host: Host, subject: Subject, reading: Reading): Promise<Damage[] | null> {
  const damage = await readFile(host, subject, reading);
  if (damage.length === 0) return damage;
  const { facts, disk, point } = subject;
  const now = (await readVm(host, facts.repo, facts)).disks.find(({ name }) => name === disk.name);
  if (now === undefined || !readable(now).some(({ data }) => data.file === point.data.file)) return null;
  const lost = dependents(now, point.id);
  return damage.map(({ finding: one, guest }) => ({ finding: { ...one, dependents: lost }, guest }));
}

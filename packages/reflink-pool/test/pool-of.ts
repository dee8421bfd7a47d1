import { expect } from 'vitest';
import { Disk } from './disk.ts';
import { type Around, type Said, say } from './said.ts';

export const head = '/pool/v.img';
export const work = '/pool/v-dirty.img';
export const prepared = '/pool/v-precache.img';

/** Histories that many tests begin with. */
export const made = 'create v --size 512';
export const written = [made, 'start v', 'write x'];
export const snapshot = [made, 'create s --kind snapshot --source v'];
export const volatile = 'create t --kind volatile --size 512';

/** The changes that replace a volume's sidecar. */
export const put = (name: string): string[] => [
  `install -m 0600 /dev/null '/pool/.platter/volumes/${name}.json~'`,
  `mv -T -- '/pool/.platter/volumes/${name}.json~' /pool/.platter/volumes/${name}.json`,
  'sync -- /pool/.platter/volumes',
];

/** A pool on a disk in memory, after some verbs that all went well. */
export async function poolOf(...history: string[]): Promise<Disk> {
  const disk = new Disk('/pool');
  disk.facts.set('/proc', []).set('/sys/block', []).set('/proc/self/mountinfo', '');
  expect((await say(disk, 'init --reserve 0 --prepare never')).code).toBe(0);
  await go(disk, ...history);
  return disk;
}

/** Further verbs, each of which must succeed; a line that begins with `write` is a guest's write to the working copy. */
export async function go(disk: Disk, ...history: string[]): Promise<Said | undefined> {
  let said: Said | undefined;
  for (const line of history) {
    if (line.startsWith('write ')) disk.scribble(work, line.slice(6));
    else said = await say(disk, line, { stdin: '0'.repeat(512) });
    expect({ line, code: said?.code ?? 0, why: said?.failure?.message }).toEqual({ line, code: 0, why: undefined });
  }
  return said;
}

/** The changes a verb makes, without the ends of temporary names, and how it ended. */
export async function changesOf(disk: Disk, line: string, around: Around = {}): Promise<Said & { changes: string[] }> {
  disk.changes.length = 0;
  const said = await say(disk, line, around);
  return {
    ...said,
    changes: disk.changes.map((one) => one.replaceAll(/~[a-z0-9_]{8}/g, '~').replace(/ && printf.*/s, '')),
  };
}

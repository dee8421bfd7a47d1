import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, type Dice, qemu, rawOf, type Style, scribbles, style } from '../../../e2e/ground/images.ts';
import { done } from '../test/tool.ts';

/** A random chain: its files, oldest first, and what QEMU says a guest saw at each point. */
export interface Chain {
  files: string[];
  /** The content of the n-th point, by `qemu-img convert` of a rightly rebased copy. */
  content(n: number): Uint8Array;
  /** What it was made of, for a message. */
  told: string;
}

/** Mostly short; one in fifty has forty links. */
export const linksOf = (roll: Dice): number => (roll.below(50) === 0 ? 40 : roll.pick([1, 2, 2, 3, 3, 4, 4, 5, 6, 8]));

const mebibyte = 2 ** 20;

function sizeOf(roll: Dice, { clusterBits }: Style): number {
  const most = clusterBits < 12 ? mebibyte : clusterBits > 16 ? 8 * mebibyte : 3 * mebibyte;
  return 512 * (1 + roll.below(most / 512));
}

/** The size of the next link: mostly the same, else a sector or much more, a sector or much less. */
function resized(roll: Dice, before: number): number {
  const next = roll.pick([before, before, before, before + 512, before - 512, 2 * before, before / 2]);
  return Math.min(16 * mebibyte, Math.max(512, Math.floor(next / 512) * 512));
}

/** Copies of a chain's files, each with the one before as its backing file. */
export function rebased(files: readonly string[]): string[] {
  const copies = files.map((file) => `${file}.copy`);
  for (const [n, file] of files.entries()) {
    const copy = copies[n] as string;
    copyFileSync(file, copy);
    if (n > 0) qemu('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', copies[n - 1] as string, copy]);
  }
  return copies;
}

/** A chain of which every file was written on its own, as backups are, or each over the one before, as snapshots are. */
export function looseChain(roll: Dice, folder: string): Chain {
  const [mixed, stacked] = [roll.below(3) === 0, roll.below(3) === 0];
  const base = style(roll);
  const files: string[] = [];
  const told: object[] = [];
  let size = sizeOf(roll, base);
  const links = linksOf(roll);
  for (let n = 0; n < links; n += 1) {
    const how = { ...(mixed ? style(roll) : base), ...(n > 0 ? { version2: false, preallocated: false } : {}) };
    const file = join(folder, `loose-${n}.qcow2`);
    if (n > 0) size = resized(roll, size);
    const unmap = roll.below(2) === 0;
    create(file, { size, how, backing: stacked ? files.at(-1) : undefined });
    scribbles(roll, file, { size, how, unmap });
    files.push(file);
    told.push({ ...how, size, unmap });
  }
  const composed = stacked ? files : rebased(files);
  return { files, content: (n) => rawOf(composed[n] as string), told: JSON.stringify({ stacked, told }) };
}

/** A disk that is captured again and again: a raw file, or an image of any layout. */
class Source {
  readonly path: string;
  readonly how: Style | null;
  readonly #roll: Dice;
  readonly #used = new Set<number>();
  #size: number;

  constructor(roll: Dice, folder: string) {
    this.#roll = roll;
    this.how = roll.below(2) === 0 ? null : style(roll);
    this.path = join(folder, 'source');
    this.#size = sizeOf(roll, this.how ?? { ...style(roll), clusterBits: 16 });
    if (this.how === null) writeFileSync(this.path, new Uint8Array(this.#size));
    else create(this.path, { size: this.#size, how: this.how });
  }

  #resize(size: number): void {
    if (this.how === null) truncateSync(this.path, size);
    else if (size !== this.#size)
      qemu('qemu-img', [
        'resize',
        '-q',
        ...(size < this.#size ? ['--shrink'] : []),
        '-f',
        'qcow2',
        this.path,
        `${size}`,
      ]);
    this.#size = size;
  }

  /** Lets some time pass; what the guest sees then. */
  live(): Uint8Array {
    const [roll, how, used] = [this.#roll, this.how, this.#used];
    this.#resize(resized(roll, this.#size));
    if (roll.below(8) > 0) scribbles(roll, this.path, { size: this.#size, how, unmap: roll.below(2) === 0, used });
    return how === null ? Uint8Array.from(readFileSync(this.path)) : rawOf(this.path);
  }
}

/** A chain in a repository, made by captures of a disk that lives. */
export interface Captured extends Chain {
  /** Of each point, by which it is restored. */
  addresses: string[];
  /** Of each point, what its source held. */
  sources: Uint8Array[];
}

interface Made {
  id: string;
  type: 'full' | 'incremental';
  outcome: string;
  data: { file: string };
}

/** Captures a random disk into a fresh repository; a full ends the chain before it, of which nothing is told. */
export async function capturedChain(roll: Dice, root: string): Promise<Captured> {
  await done(['init', '--repo', root]);
  const source = new Source(roll, join(root, '..'));
  const chain = { files: [] as string[], addresses: [] as string[], sources: [] as Uint8Array[] };
  const links = linksOf(roll);
  for (let n = 0; n < links; n += 1) {
    const content = source.live();
    const flags = [...(source.how === null ? ['--format', 'raw'] : []), ...(roll.below(20) === 0 ? ['--full'] : [])];
    const { records } = await done(['capture', '--repo', root, '--vm', 'db', `data=${source.path}`, ...flags]);
    const { id, type, outcome, data } = records[0] as unknown as Made;
    if (outcome === 'unchanged') continue;
    if (type === 'full') for (const list of Object.values(chain)) list.length = 0;
    chain.files.push(join(root, 'vms/default/db/disks/data/data', data.file));
    chain.addresses.push(`default/db/data@${id}`);
    chain.sources.push(content);
  }
  let composed: string[] | undefined;
  const content = (n: number): Uint8Array => {
    composed ??= rebased(chain.files.map((file, k) => own(file, join(root, '..', `own-${k}`))));
    return rawOf(composed[n] as string);
  };
  return { ...chain, content, told: JSON.stringify({ source: source.how, links: chain.files.length }) };
}

/** A copy that may be written to; the repository's folder gets nothing new. */
function own(file: string, path: string): string {
  copyFileSync(file, path);
  return path;
}

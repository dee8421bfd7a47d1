import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { cluster, Disk } from '../test/model.ts';
import { done } from '../test/tool.ts';
import { idsOf } from './repository.ts';

/** What happens to a disk between two captures. */
export interface Step {
  write: number[];
  zero: number[];
  size: number | null;
}

/** A few steps on a disk of at most 40 clusters, which may end inside one. */
export const steps = fc.array(
  fc.record({
    write: fc.array(fc.nat(40), { maxLength: 6 }),
    zero: fc.array(fc.nat(40), { maxLength: 4 }),
    size: fc.option(fc.integer({ min: 1, max: 40 * 128 + 9 }), { freq: 2 }),
  }),
  { minLength: 3, maxLength: 6 },
);

/** A repository with a point for each state of one disk, of which a set names only those that `keep`. */
export class History {
  readonly folder: string;
  readonly root: string;
  /** What the disk held at each point. */
  readonly states = new Map<string, Uint8Array>();

  constructor(parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, 'platter-history-'));
    this.root = join(this.folder, 'repo');
  }

  get ids(): string[] {
    return idsOf(this.disk);
  }

  get vm(): string {
    return join(this.root, 'vms/default/db');
  }

  get disk(): string {
    return join(this.vm, 'disks/data');
  }

  async make(states: readonly Uint8Array[]): Promise<this> {
    mkdirSync(this.root);
    await done(['init', '--repo', this.root]);
    for (const bytes of states) await this.capture(bytes);
    return this;
  }

  /** One point, if anything changed, and no set. */
  async capture(bytes: Uint8Array): Promise<void> {
    const image = join(this.folder, 'disk.raw');
    const model = new Disk(0);
    model.bytes = bytes;
    model.save(image);
    await done(['capture', '--repo', this.root, '--vm', 'db', `data=${image}`, '--format', 'raw']);
    rmSync(join(this.vm, 'sets'), { recursive: true });
    mkdirSync(join(this.vm, 'sets'));
    this.states.set(this.ids.at(-1) ?? '', bytes.slice());
  }

  /** The same repository once more; beside this one unless said. */
  copy(parent = join(this.folder, '..')): History {
    const other = new History(parent);
    cpSync(this.root, other.root, { recursive: true });
    for (const [id, bytes] of this.states) other.states.set(id, bytes);
    return other;
  }

  /** What a restore of a point gives. */
  async restored(id: string): Promise<Buffer> {
    const to = join(this.folder, `restored-${id}`);
    await done(['restore', `default/db/data@${id}`, '--repo', this.root, '--file', '--to', to, '--verify', 'full']);
    const bytes = readFileSync(to);
    rmSync(to);
    return bytes;
  }

  data(id: string): string[] {
    return readdirSync(join(this.disk, 'data')).filter((name) => name.startsWith(`${id}.`));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The states of a disk after each of the steps. */
export function statesOf(all: readonly Step[]): Uint8Array[] {
  const disk = new Disk(24 * cluster);
  return all.map(({ write, zero, size }) => {
    if (size !== null) disk.resize(size * 512);
    return disk
      .write(...write)
      .zero(...zero)
      .bytes.slice();
  });
}

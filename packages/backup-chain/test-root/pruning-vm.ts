import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { cluster, Disk } from '../test/model.ts';
import { done, type Ran, tool } from '../test/tool.ts';

/** Where all VMs of a test file lie. */
const folder = mkdtempSync(join(tmpdir(), 'platter-prune-'));
export const dispose = (): void => rmSync(folder, { recursive: true, force: true });

export const day = 86_400_000;
const begin = Date.parse('2026-01-01T12:00:00Z');

/** A VM with disks that are captured day by day, and what each set must restore to. */
export class Vm {
  readonly folder = mkdtempSync(join(folder, 'vm-'));
  readonly root = join(this.folder, 'repo');
  readonly disks = new Map<string, Disk>();
  /** What each set holds, by its id. */
  readonly sets = new Map<string, Map<string, Uint8Array>>();
  today = begin;

  async init(...names: string[]): Promise<this> {
    mkdirSync(this.root);
    await done(['init', '--repo', this.root]);
    for (const name of names) this.disks.set(name, new Disk(24 * cluster).write(0, 1, 2));
    return this;
  }

  get path(): string {
    return join(this.root, 'vms/default/db');
  }

  run(...words: string[]): Promise<Ran> {
    return tool([...words, '--repo', this.root], { at: this.today });
  }

  async must(...words: string[]): Promise<Ran> {
    const ran = await this.run(...words);
    if (ran.failure !== null) throw ran.failure;
    expect(ran.misfits).toEqual([]);
    return ran;
  }

  async capture(names: readonly string[] = [...this.disks.keys()], ...more: string[]): Promise<string> {
    this.today += day;
    const words = names.map((name) => {
      const image = join(this.folder, `${name}.raw`);
      this.disks.get(name)?.save(image);
      return `${name}=${image}`;
    });
    const { records } = await this.must('capture', '--vm', 'db', ...words, '--format', 'raw', ...more);
    const { id } = records.at(-1) as { id: string };
    this.sets.set(id, new Map(names.map((name) => [name, (this.disks.get(name) as Disk).bytes.slice()])));
    return id;
  }

  async prune(...words: string[]): Promise<Ran> {
    return this.must('prune', ...words);
  }

  ids(kind: 'sets'): string[] {
    return readdirSync(join(this.path, kind))
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -5));
  }

  points(disk = 'data'): string[] {
    return readdirSync(join(this.path, 'disks', disk, 'points'))
      .sort()
      .map((name) => name.slice(7, -5));
  }

  /** Every file of the VM outside the trash and its locks, by its bytes. */
  files(): Map<string, string> {
    const all = readdirSync(this.path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    const paths = all.map(({ parentPath, name }) => join(parentPath, name).slice(this.path.length + 1));
    const ours = paths.filter((path) => !path.startsWith('trash/') && path !== 'lock').sort();
    return new Map(ours.map((path) => [path, readFileSync(join(this.path, path)).toString('latin1')]));
  }

  async entries(): Promise<{ name: string; op: string; points: string[]; sets: string[]; bytes: number }[]> {
    const { records } = await this.must('trash', 'list');
    return records.map((one) => ({ ...one, name: (one.metadata as { name: string }).name })) as never;
  }

  /** Every set that is there restores exactly, and all of the VM is sound. */
  async holds(): Promise<void> {
    await this.must('validate', '--level', 'deep');
    for (const id of this.ids('sets'))
      for (const [disk, bytes] of this.sets.get(id) ?? []) {
        const to = join(this.folder, 'restored');
        await this.must('restore', `default/db@${id}`, '--disk', disk, '--file', '--to', to, '--verify', 'full');
        expect(readFileSync(to).equals(bytes), `${id} ${disk}`).toBe(true);
        rmSync(to);
      }
  }

  copy(): Vm {
    const other = new Vm();
    cpSync(this.root, other.root, { recursive: true });
    for (const [name, disk] of this.disks) other.disks.set(name, disk);
    for (const [id, set] of this.sets) other.sets.set(id, set);
    other.today = this.today;
    return other;
  }
}

/** Undoes all entries of the trash, newest first. */
export async function undoAll(vm: Vm): Promise<void> {
  for (;;) {
    const entry = (await vm.entries()).findLast(({ op }) => op !== 'sweep');
    if (entry === undefined) return;
    await vm.must('trash', 'restore', entry.name);
  }
}

/** A full, three increments with overwrites and zeros, and a set for each. */
export async function simple(): Promise<{ vm: Vm; ids: [string, string, string, string] }> {
  const vm = await new Vm().init('data');
  const disk = vm.disks.get('data') as Disk;
  const ids = [await vm.capture()];
  disk.write(1, 4).zero(2);
  ids.push(await vm.capture());
  disk.write(2, 5).zero(0);
  ids.push(await vm.capture());
  disk.write(6).zero(1);
  ids.push(await vm.capture());
  return { vm, ids: ids as [string, string, string, string] };
}

/** The record of a prune. */
export const pruned = ({ records }: Ran) =>
  records.at(-1) as {
    kept: { id: string; reasons: string[] }[];
    expired: string[];
    actions: { op: string; points: string[] }[];
    bytesTrashed: number;
    bytesPurged: number;
  };

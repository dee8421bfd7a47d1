import type { Change, Entry, Host, Output, Program, Query, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import type { Held } from '@platter/host/hold';
import { shown } from '@platter/host/shown';

/** The process died: nothing it would have done afterwards happens. */
export class Killed extends Error {}

interface Node {
  ino: number;
  dir: boolean;
  content: string;
  size: number;
  mode: number;
  mtimeNs: bigint;
}

const textOf = (data: string | Uint8Array) => (typeof data === 'string' ? data : Buffer.from(data).toString('latin1'));
const sectors = 512;
/** Inodes are made, one after the other, when the verbs run. */
const born = BigInt(Date.parse('2026-11-20T12:00:00Z')) * 1_000_000n;
const xfs = 0x58465342;
const ended = (stdout: string): Output => ({ code: 0, stdout, stderr: '', report: '' });
const wrong = (code: string, what: string) => new Failure('failed', `could not ${what}: ${code}`, { cause: { code } });

/** A disk in memory: names that lead to inodes, as link(2), rename(2) and unlink(2) have it, and a door to it. */
export class Disk implements Host {
  readonly dry = false;
  readonly names = new Map<string, Node>();
  /** Every change that was made, as its shell line. */
  readonly changes: string[] = [];
  /** Answers of programs and of files outside the pool, by shell line or path. */
  readonly facts = new Map<string, unknown>([['/proc/locks', '']]);
  free = 2 ** 40;
  boot = 'boot-1';
  clock = Date.parse('2026-11-20T08:00:00Z');
  #inodes = 100;
  #left = Number.POSITIVE_INFINITY;

  constructor(pool: string) {
    this.#add(pool, { dir: true });
  }

  /** The process dies right before its n-th change from now; `revive` lets the next one live. */
  killAt(n: number): void {
    this.#left = n - 1;
  }
  revive(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  /** What a guest does: other bytes and a new mtime, in whatever inode the name leads to. */
  scribble(path: string, content: string): void {
    const node = this.#at(path);
    this.clock += 1000;
    Object.assign(node, { content, mtimeNs: BigInt(this.clock) * 1_000_000n });
  }

  content = (path: string): string | undefined => this.names.get(path)?.content;

  #add(path: string, { dir = false, mode = 0o600 }: { dir?: boolean; mode?: number }): Node {
    if (this.names.has(path)) throw wrong('EEXIST', `make ${path}`);
    this.#inodes += 1;
    const mtimeNs = BigInt(this.clock) * 1_000_000n;
    const node = { ino: this.#inodes, dir, content: '', size: 0, mode, mtimeNs };
    this.names.set(path, node);
    return node;
  }

  #at(path: string): Node {
    const node = this.names.get(path);
    if (node === undefined) throw wrong('ENOENT', `find ${path}`);
    return node;
  }

  #stat(path: string): Stat | null {
    const node = this.names.get(path);
    if (node === undefined) return null;
    const { ino, dir, size, mode, mtimeNs } = node;
    const nlink = [...this.names.values()].filter((one) => one === node).length;
    const known = { kind: dir ? ('dir' as const) : ('file' as const), dev: 7n, ino: BigInt(ino), rdev: 0n, size };
    return { ...known, allocated: size, mode, nlink, uid: 0, gid: 0, mtimeNs, birthNs: born + BigInt(ino) };
  }

  #list(path: string): Entry[] | null {
    if (!this.names.get(path)?.dir) return this.facts.has(path) ? (this.facts.get(path) as Entry[]) : null;
    const below = [...this.names].filter(([name]) => name.slice(0, name.lastIndexOf('/')) === path);
    const entries = below.map(([name, { dir }]) => ({ name: name.slice(path.length + 1), kind: dir ? 'dir' : 'file' }));
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1)) as Entry[];
  }

  async query(query: Query): Promise<never> {
    return this.#look(query) as never;
  }

  #look(query: Query): unknown {
    switch (query.op) {
      case 'stat':
        return this.#stat(query.path);
      case 'list':
        return this.#list(query.path);
      case 'text':
        return query.path.endsWith('boot_id')
          ? this.boot
          : (this.content(query.path) ?? this.facts.get(query.path) ?? null);
      case 'bytes':
        return Buffer.from(this.#at(query.path).content, 'latin1');
      case 'space':
        return { free: this.free, total: 2 ** 40, type: xfs };
      case 'hold':
        return this.#hold(query.path);
      case 'fill':
        return void Buffer.from(this.#at(query.path).content, 'latin1').copy(query.into, 0, query.at);
      case 'run':
        return this.#run(query);
      case 'readlink':
        return (this.facts.get(query.path) as string | undefined) ?? null;
      case 'realpath':
        return query.path;
      case 'greeting':
        return null;
      case 'lock':
        return { fd: -1, path: query.path, previous: '', release: () => {} };
      case 'qmp':
        throw new Error('no pool speaks to QEMU');
    }
  }

  #hold(path: string): Held {
    const [stat, node] = [this.#stat(path), this.#at(path)];
    if (stat === null) throw wrong('ENOENT', `open ${path}`);
    const { dev, ino, size, mtimeNs, birthNs } = stat;
    const still = () => node.mtimeNs === mtimeNs;
    const inode = { kind: 'file' as const, device: null, dev, ino, size, mtimeNs, birthNs, sectorSize: sectors };
    return { ...inode, path, fd: Number(ino), direct: null, pin: () => () => {}, same: still, close: () => {} };
  }

  /** One extent, whose address is its content: files of the same bytes share it, and it says so. */
  #run({ program, args, inherit = [], watch }: Program): Output {
    const given = this.facts.get([program, ...args].join(' ')) ?? this.facts.get(program);
    if (given !== undefined) return ended(String(given));
    if (program === 'xfs_io') return ended('fsxattr.xflags = 0x0 [-]\nfsxattr.nextents = 1\n');
    if (program !== 'filefrag') throw new Error(`nobody scripted ${program} ${args}`);
    const node = [...this.names.values()].find(({ ino }) => ino === inherit[0]);
    const address = 4096 * (1 + (node?.content.codePointAt(0) ?? 0));
    const shared =
      [...new Set(this.names.values())].filter(({ content }) => content !== '' && content === node?.content).length > 1;
    const flags = `last,${shared ? 'shared,' : ''}eof`;
    watch?.(`   0:        0..     511: ${address}.. ${address + 511}:    512:             ${flags}\n`);
    return ended('');
  }

  async change(change: Change): Promise<never> {
    if (this.#left <= 0) throw new Killed();
    if (change.op === 'lock') return this.#look(change as Query) as never;
    this.#left -= 1;
    this.changes.push(shown(change));
    return (change.op === 'run' ? this.#perform(change) : this.#touch(change)) as never;
  }

  #touch(change: Change): void {
    switch (change.op) {
      case 'write':
        Object.assign(this.#add(change.path, change), { content: textOf(change.data), size: change.data.length });
        return;
      case 'copy':
        Object.assign(this.#add(change.to, {}), { ...this.#at(change.from), ino: this.#inodes });
        return;
      case 'link':
        if (this.names.has(change.to)) throw wrong('EEXIST', `link ${change.to}`);
        this.names.set(change.to, this.#at(change.from));
        return;
      case 'rename':
        this.#rename(change.from, change.to);
        return;
      case 'remove':
        if (change.dir && this.#list(change.path)?.length) throw wrong('ENOTEMPTY', `remove ${change.path}`);
        this.names.delete(change.path);
        return;
      case 'truncate':
        this.#at(change.path).size = change.size;
        return;
      case 'mkdir':
        this.#add(change.path, { dir: true, mode: change.mode });
        return;
      case 'chmod':
        this.#at(change.path).mode = change.mode;
        return;
      case 'pour':
        this.#pour(change);
        return;
      default:
        this.#at('path' in change ? change.path : '');
    }
  }

  /** rename(2) of one name of an inode onto another of it succeeds and does nothing. */
  #rename(from: string, to: string): void {
    const node = this.#at(from);
    if (this.names.get(to) === node) return;
    this.names.set(to, node);
    this.names.delete(from);
  }

  /** A hook as a fact has it, which may be one answer after the other; else `dd`. */
  #perform(program: Program): Output {
    const given = this.facts.get(shown(program));
    return typeof given === 'function' ? given() : this.#overwrite(program);
  }

  /** `dd` of zeros over the beginning of a file. */
  #overwrite({ args }: Program): Output {
    const word = (name: string) => args.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    const node = this.#at(word('of'));
    node.content = '\0'.repeat(Number(word('bs'))) + node.content.slice(Number(word('bs')));
    return ended('');
  }

  #pour({ to, pieces }: Change & { op: 'pour' }): void {
    const node = this.#at(to.path);
    for (const { from } of pieces)
      if (from !== 'zeros' && 'bytes' in from) node.content += new TextDecoder().decode(from.bytes).slice(0, 1);
    this.clock += 1000;
    node.mtimeNs = BigInt(this.clock) * 1_000_000n;
  }
}

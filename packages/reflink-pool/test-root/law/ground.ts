import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Change, Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { type Said, say } from '../../test/said.ts';

/** The process died: nothing it would have done afterwards happens. */
class Killed extends Error {}

const block = 4096;
const bootFile = '/proc/sys/kernel/random/boot_id';

/** The bytes of an image whose blocks are called by these characters; a dot is a block of zeros. */
export function bytesOf(text: string): Buffer {
  const blocks = [...text].map((letter) => Buffer.alloc(block, letter === '.' ? 0 : letter, 'utf16le'));
  return Buffer.concat(blocks);
}

/** What an image holds; a block that is not of one character is called `?`. */
export function textOf(bytes: Buffer): string {
  return Array.from({ length: Math.ceil(bytes.length / block) }, (_, index) => {
    const part = bytes.subarray(index * block, (index + 1) * block);
    const letter = part.readUInt16LE() === 0 ? '.' : part.toString('utf16le', 0, 2);
    return bytesOf(letter).equals(part) ? letter : '?';
  }).join('');
}

/** One file of a pool as it lies there. */
export interface Lying {
  path: string;
  /** Which inode: its number may be given again, its birth is not. */
  inode: string;
  mode: number;
  nlink: number;
  mtimeNs: bigint;
  text: string;
}

/** A pool on a real filesystem, and its verbs in this process: on the real door, which can die at any change. */
export class Ground implements Host {
  readonly dry = false;
  boot = 'boot-1';
  /** Changes of the last verb. */
  changes = 0;
  #left = Number.POSITIVE_INFINITY;
  #real = local();

  readonly path: string;
  constructor(folder: string) {
    this.path = join(folder, 'pool');
  }

  static async at(folder: string, words: readonly string[] = []): Promise<Ground> {
    const ground = new Ground(folder);
    await mkdir(ground.path);
    const said = await ground.say(['init --reserve 0', ...words].join(' '));
    if (said?.code !== 0) throw new Error(`no pool in ${folder}: ${said?.failure?.message}`);
    return ground;
  }

  query: Host['query'] = async (query) => {
    if (query.op === 'text' && query.path === bootFile) return this.boot as never;
    return this.#real.query(query);
  };

  change = async <C extends Change>(change: C) => {
    if (this.#left <= 0) throw new Killed();
    if (change.op !== 'lock') {
      this.#left -= 1;
      this.changes += 1;
    }
    return this.#real.change(change);
  };

  /** Runs a verb that dies before its n-th change; null when it died. */
  async say(
    line: string,
    { kill = null, stdin = '' }: { kill?: number | null; stdin?: string } = {},
  ): Promise<Said | null> {
    this.#left = kill === null ? Number.POSITIVE_INFINITY : kill - 1;
    this.changes = 0;
    try {
      const around = { stdin: bytesOf(stdin), now: () => Date.now(), pool: this.path, pid: process.pid };
      return await say(this, line, around);
    } catch (error) {
      if (error instanceof Killed) return null;
      throw error;
    } finally {
      this.#left = Number.POSITIVE_INFINITY;
    }
  }

  file = (name: string) => join(this.path, name);

  /** What a guest does: one block of other bytes. */
  async scribble(name: string, at: number, letter: string): Promise<void> {
    await using file: FileHandle = await open(this.file(name), 'r+');
    await file.write(bytesOf(letter), 0, undefined, at * block);
  }

  /** Somebody else has the file open for writing while `work` runs. */
  async holding<T>(name: string, work: () => Promise<T>): Promise<T> {
    const fd = openSync(this.file(name), 'r+');
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'inherit', fd] });
    closeSync(fd);
    try {
      return await work();
    } finally {
      await ended(child);
    }
  }

  /** Everything below the pool's directory; of `.platter` only what exports keep. */
  async files(): Promise<Lying[]> {
    const all = await readdir(this.path, { recursive: true, withFileTypes: true });
    const paths = all
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.path.length + 1));
    return Promise.all(
      paths
        .filter((path) => !path.startsWith('.platter/') || /^\.platter\/exports\/[0-9a-f]{12}\.img$/.test(path))
        .sort()
        .map((path) => this.#lying(path)),
    );
  }

  async #lying(path: string): Promise<Lying> {
    const [found, bytes] = await Promise.all([lstat(this.file(path), { bigint: true }), readFile(this.file(path))]);
    const { ino, birthtimeNs, mode, nlink, mtimeNs } = found;
    return {
      path,
      inode: `${ino} ${birthtimeNs}`,
      mode: Number(mode & 0o7777n),
      nlink: Number(nlink),
      mtimeNs,
      text: textOf(bytes),
    };
  }

  /** The pool is as it was after `init`. */
  async clear(): Promise<void> {
    const inside = ['volumes', 'sessions', 'locks', 'exports', 'sets'].map((name) => `.platter/${name}`);
    const names = (await readdir(this.path)).filter((name) => name !== '.platter');
    for (const name of [...names, ...inside]) await rm(this.file(name), { recursive: true });
    for (const name of inside) await mkdir(this.file(name));
    this.boot = 'boot-1';
  }

  /** A sidecar or a session is gone. */
  async lose(dir: 'volumes' | 'sessions', volume: string): Promise<void> {
    await rm(this.file(`.platter/${dir}/${volume.replaceAll('/', '%2F')}.json`), { force: true });
  }

  store = (name: string, text: string) => writeFile(join(this.path, '..', name), bytesOf(text));
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await gone;
}

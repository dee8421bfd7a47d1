import { createHash } from 'node:crypto';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Outcome, run, succeed } from '../../../e2e/ground/run.ts';

type Record_ = Record<string, unknown> & { path: string; outcome: string };

/** A pool in a folder of a real filesystem, and the built tool to use it. */
export class TestPool {
  readonly path: string;
  readonly env: Record<string, string>;

  constructor(folder: string) {
    this.path = join(folder, 'pool');
    this.env = { PLATTER_POOL: this.path };
  }

  static async at(folder: string, ...words: string[]): Promise<TestPool> {
    const pool = new TestPool(folder);
    await succeed(['mkdir', pool.path]);
    await pool.say('init', '--reserve', '0', ...words);
    return pool;
  }

  /** A verb that must succeed; what it says as text. */
  say(...words: string[]): Promise<string> {
    return succeed(['reflink-pool', ...words], { env: this.env });
  }

  /** A verb that must succeed; its records. */
  async tell(...words: string[]): Promise<Record_[]> {
    const stdout = await this.say(...words, '-o', 'json');
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** A verb that may fail. */
  try(...words: string[]): Promise<Outcome> {
    return run(['reflink-pool', ...words], { env: this.env });
  }

  file = (name: string) => join(this.path, name);

  /** Overwrites some bytes of a file, flushed, as a guest would. */
  async write(name: string, at: number, bytes: string | Buffer): Promise<void> {
    await using file = await open(this.file(name), 'r+');
    await file.write(Buffer.from(bytes), 0, undefined, at);
    await file.sync();
  }

  digest = async (name: string) =>
    createHash('sha256')
      .update(await readFile(this.file(name)))
      .digest('hex');

  /** The files of the pool outside `.platter`, with the numbers of revisions but not their times. */
  async files(): Promise<string[]> {
    const all = await readdir(this.path, { recursive: true, withFileTypes: true });
    const files = all.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    return files
      .map((path) => path.slice(this.path.length + 1).replace(/@[^/]*Z$/, ''))
      .filter((path) => !path.startsWith('.platter'))
      .sort();
  }
}

/** A file of `blocks` extents: 4 KiB of data, 4 KiB of hole, again and again; nothing can merge them. */
export async function fragmented(path: string, blocks: number): Promise<void> {
  await writeFile(path, '');
  await using file = await open(path, 'r+');
  const data = Buffer.alloc(4096, 'x');
  for (let block = 0; block < blocks; block += 1) await file.write(data, 0, undefined, block * 8192);
  await file.truncate(blocks * 8192);
  await file.sync();
}

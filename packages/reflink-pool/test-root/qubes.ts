import { randomBytes } from 'node:crypto';
import { access, chmod, open, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { succeed } from '../../../e2e/ground/run.ts';

/** One operation, change by change: who stops asking for the next one has killed it there. */
type Steps = AsyncGenerator<void, void>;

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789_';
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Does as many changes of an operation as there may be, all unless told. Whether it came to its end. */
export async function perform(steps: Steps, most = Number.POSITIVE_INFINITY): Promise<boolean> {
  for (let done = 0; done < most; done += 1) if ((await steps.next()).done) return true;
  return false;
}

/** A volume as the Qubes `file-reflink` driver keeps it: the same names, in the same order of changes. */
export class QubesVolume {
  readonly #path: string;
  readonly #keep: number;

  /** `keep` is how many revisions it keeps; with -1 it has none, and writes the head in place. */
  constructor(pool: string, name: string, keep = 1) {
    this.#path = join(pool, name);
    this.#keep = keep;
  }

  get head(): string {
    return `${this.#path}.img`;
  }
  get work(): string {
    return `${this.#path}-dirty.img`;
  }
  get #ahead(): string {
    return `${this.#path}-precache.img`;
  }
  get #arriving(): string {
    return `${this.#path}-import.img`;
  }

  /** Its revisions by number, ascending. */
  async revisions(): Promise<[number: number, path: string][]> {
    const dir = dirname(this.#path);
    const found = (await readdir(dir)).flatMap((name): [number, string][] => {
      const [, number] = name.startsWith(`${basename(this.head)}.`) ? (/\.img\.(\d+)@[^~]*Z$/.exec(name) ?? []) : [];
      return number === undefined ? [] : [[Number(number), join(dir, name)]];
    });
    return found.sort(([a], [b]) => a - b);
  }

  async *create(size: number): Steps {
    yield* this.#sparse(this.head, size);
    yield* this.#prepare();
  }

  async *start(): Steps {
    yield* this.#sweep();
    if (await exists(this.work)) return;
    if (this.#keep === -1) return yield await rename(this.head, this.work);
    const [ahead, head] = [
      await stat(this.#ahead, { bigint: true }).catch(() => null),
      await stat(this.head, { bigint: true }),
    ];
    const valid = ahead !== null && ahead.mtimeNs === head.mtimeNs && ahead.size === head.size;
    if (ahead !== null && !valid) yield await rm(this.#ahead);
    if (valid) yield await rename(this.#ahead, this.work);
    else yield* this.#copy(this.head, this.work);
  }

  async *stop(): Steps {
    if (await exists(this.work)) yield* this.#commit(this.work);
  }

  /** The target's name is used up. */
  async *revert(number?: number): Steps {
    if (await exists(this.work)) throw new Error('not stopped');
    const [, target] = (await this.revisions()).findLast(([one]) => number === undefined || one === number) ?? [];
    if (target === undefined) throw new Error(`no revision ${number}`);
    yield* this.#name();
    yield await rm(this.#ahead, { force: true });
    yield await rename(target, this.head);
    yield* this.#prepare();
  }

  async *resize(size: number): Steps {
    if (await exists(this.work)) return yield await truncate(this.work, size);
    yield await rm(this.#ahead, { force: true });
    yield* this.#copy(this.head, this.head, { size });
    yield* this.#prepare();
  }

  async *import(content: Uint8Array): Steps {
    yield* this.#sparse(this.#arriving, content.length);
    yield await writeFile(this.#arriving, content, { flag: 'r+' });
    yield* this.#commit(this.#arriving);
  }

  async *#commit(from: string): Steps {
    if (this.#keep === -1) return yield await rename(from, this.head);
    yield* this.#name();
    const revisions = await this.revisions();
    for (const [, path] of revisions.slice(0, Math.max(0, revisions.length - this.#keep))) yield await rm(path);
    yield await flush(from);
    yield await rm(this.#ahead, { force: true });
    yield await rename(from, this.head);
    yield* this.#prepare();
  }

  /** The head gets a number: a copy under the second of its last write. */
  async *#name(): Steps {
    if (this.#keep === 0) return;
    const highest = (await this.revisions()).at(-1)?.[0] ?? 0;
    const at = (await stat(this.head)).mtime.toISOString().slice(0, 19);
    yield* this.#copy(this.head, `${this.head}.${highest + 1}@${at}Z`);
  }

  async *#prepare(): Steps {
    if (this.#keep !== -1) yield* this.#copy(this.head, this.#ahead, { times: true });
  }

  async *#copy(from: string, to: string, { size, times = false }: { size?: number; times?: boolean } = {}): Steps {
    const temp = tempOf(to);
    yield await writeFile(temp, '', { mode: 0o600, flag: 'wx' });
    yield void (await succeed([
      'cp',
      '--reflink=auto',
      '--no-preserve=mode',
      ...(times ? ['--preserve=timestamps'] : []),
      '--',
      from,
      temp,
    ]));
    if (size !== undefined) yield await truncate(temp, size);
    yield* this.#finish(temp, to);
  }

  async *#sparse(to: string, size: number): Steps {
    const temp = tempOf(to);
    yield await writeFile(temp, '', { mode: 0o600, flag: 'wx' });
    yield await truncate(temp, size);
    yield* this.#finish(temp, to);
  }

  async *#finish(temp: string, to: string): Steps {
    await chmod(temp, 0o600);
    await flush(temp);
    yield await rename(temp, to);
  }

  /** What an operation that was killed left: temporaries of all names that begin like this one's, and an import. */
  async *#sweep(): Steps {
    const dir = dirname(this.#path);
    const left = (await readdir(dir)).filter((name) => name.startsWith(basename(this.#path)) && /\.img.*~/.test(name));
    for (const name of left) yield await rm(join(dir, name));
    yield await rm(this.#arriving, { force: true });
  }
}

const tempOf = (path: string) =>
  `${path}~${[...randomBytes(8)].map((byte) => alphabet[byte % alphabet.length]).join('')}`;

async function flush(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

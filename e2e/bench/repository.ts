import { globSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run, succeed, told } from '../ground/run.ts';
import type { Material } from './bench.ts';
import { random, scatter } from './images.ts';

export const mebibyte = 2 ** 20;

/** A volume `data` in a pool and its backups as disk `web/data`, in one folder that can reflink. */
export class Backups {
  readonly pool: string;
  readonly repo: string;
  readonly head: string;
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
    this.pool = join(dir, 'pool');
    this.repo = join(dir, 'repo');
    this.head = join(this.pool, 'data.img');
  }

  inPool = (...words: string[]): Promise<string> => succeed(['reflink-pool', ...words, '--pool', this.pool]);

  #capture = (repo: string, ...words: string[]): string[] => {
    const source = ['--vm', 'web', `data=${this.head}`, '--format', 'raw', '--max-chain', '1024'];
    return ['backup-chain', 'capture', ...words, '--repo', repo, ...source];
  };

  /** The argv that captures the head as a full. */
  full = (repo = this.repo): string[] => [...this.#capture(repo), '--full'];

  /** The argv that captures what a `DiskDiff` on stdin says. */
  incremental = (repo = this.repo): string[] => this.#capture(repo, '-');

  /** Makes the pool, its volume with `data` random bytes of `size`, and an empty repository. */
  async make(size: number, data: number): Promise<void> {
    const image = join(this.dir, 'image');
    random(image, size, data);
    await mkdir(this.pool);
    await mkdir(this.repo);
    await this.inPool('init', '--prepare', 'never');
    await this.inPool('import', 'data', image, '--create', '--format', 'raw', '--share');
    await succeed(['backup-chain', 'init', '--repo', this.repo]);
  }

  /** Changes so many clusters of the volume and commits; gives the pool's change list. */
  async change(count: number, how: { span: number; shift?: number }): Promise<string> {
    await this.inPool('start', 'data');
    scatter(join(this.pool, 'data-dirty.img'), count, how);
    await this.inPool('stop', 'data', '--no-prepare');
    return this.inPool('diff', 'data', '-o', 'json');
  }

  /** Captures an increment from a change list. */
  async capture(diff: string): Promise<void> {
    const outcome = await run(this.incremental(), { stdin: diff });
    if (outcome.code !== 0) throw new Error(told(this.incremental(), outcome));
  }

  /** The data files of the repository, in the order of their captures. */
  files = (): string[] =>
    globSync('**/*.qcow2', { cwd: this.repo })
      .sort()
      .map((file) => join(this.repo, file));
}

/** A repository that a round starts from: a copy by reflink of another. */
export async function again(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await succeed(['cp', '-a', '--reflink=always', '--', from, to]);
}

/** Where two images differ, as a `DiskDiff` says of what an image was. */
const identity = (path: string, ref: string) => {
  const { ino, birthtimeNs, mtimeNs, size } = statSync(path, { bigint: true });
  return { ref, path, ino: String(ino), birthNs: String(birthtimeNs), mtimeNs: String(mtimeNs), size: Number(size) };
};

const cluster = 65_536;

/** A chain of `links` points of the disk `web/data`: 1 GiB, half of it random data, then some clusters of it in each. */
export class Chain {
  readonly repo: string;
  readonly image: string;

  constructor(dir: string) {
    this.repo = join(dir, 'repo');
    this.image = join(dir, 'disk.raw');
  }

  #capture = (...words: string[]): string[] => {
    const where = ['--repo', this.repo, '--vm', 'web', '--max-chain', '1024', '--format', 'raw'];
    return ['backup-chain', 'capture', ...words, ...where, `data=${this.image}`];
  };

  async make(links: number, { data = 512 * mebibyte, clusters = 32 } = {}): Promise<void> {
    const size = 1024 * mebibyte;
    await mkdir(this.repo);
    await succeed(['backup-chain', 'init', '--repo', this.repo]);
    random(this.image, size, data);
    await succeed(this.#capture());
    for (let link = 1; link < links; link++) await this.#further(link, { span: data, clusters });
  }

  /** The argv that captures the disk by comparing all of it. */
  byComparing = (): string[] => this.#capture('--engine', 'diff');

  /** Another point: some clusters get other bytes, and the list on stdin says which. */
  async #further(link: number, { span, clusters }: { span: number; clusters: number }): Promise<void> {
    const from = identity(this.image, `web/data@${link}`);
    const at = scatter(this.image, clusters, { span, shift: link * 7 });
    const to = identity(this.image, `web/data@${link + 1}`);
    const ranges = at.sort((a, b) => a - b).map((one) => [one, cluster]);
    const diff = { kind: 'DiskDiff', from, to, format: 'raw', ranges, zeros: [], complete: true };
    const outcome = await run(this.#capture('-'), { stdin: `${JSON.stringify(diff)}\n` });
    if (outcome.code !== 0) throw new Error(told(this.#capture('-'), outcome));
  }

  /** Its data files, oldest first. */
  files = (): string[] =>
    globSync('**/*.qcow2', { cwd: this.repo })
      .sort()
      .map((file) => join(this.repo, file));

  /** The id of its `n`-th point, from 1 on. */
  id = (n: number): string => basename(this.files()[n - 1] ?? '').replace(/\.\d+\.qcow2$/, '');

  /** Copies of its first files in a folder, each on the one before, as QEMU wants them; gives the last. */
  async rebased(dir: string, links: number): Promise<string> {
    await mkdir(dir, { recursive: true });
    const copies = this.files()
      .slice(0, links)
      .map((file, n) => ({ file, copy: join(dir, `${n}.qcow2`) }));
    for (const [n, { file, copy }] of copies.entries()) {
      await succeed(['cp', '--reflink=always', '--', file, copy]);
      await succeed(['chmod', 'u+w', copy]);
      const on = ['-f', 'qcow2', '-F', 'qcow2', '-b', `${n - 1}.qcow2`];
      if (n > 0) await succeed(['qemu-img', 'rebase', '-u', ...on, copy]);
    }
    return copies.at(-1)?.copy ?? '';
  }

  /** The same as one nested node over the files themselves. */
  graph = (links: number): string => {
    const node = (on: object | null, filename: string) => ({
      driver: 'qcow2',
      file: { driver: 'file', filename },
      backing: on,
    });
    return `json:${JSON.stringify(this.files().slice(0, links).reduce<object | null>(node, null))}`;
  };
}

/** A chain of 401 links, each of 32 clusters on a full of 512 MiB. */
export const long: Material = {
  needs: ['root', 'xfs', 'loop'],
  space: 16 * 1024 * mebibyte,
  make: (dir) => new Chain(dir).make(401),
};

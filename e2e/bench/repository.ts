import { globSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run, succeed, told } from '../ground/run.ts';
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

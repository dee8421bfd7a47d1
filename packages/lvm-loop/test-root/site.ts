import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { detach, type Loop, loopsIn } from '../../../e2e/ground/loops.ts';
import type { Filesystem } from '../../../e2e/ground/probe.ts';
import { type Outcome, run, succeed } from '../../../e2e/ground/run.ts';
import type { VolumeGroup } from '../src/records.ts';
import type { Sidecar } from '../src/sidecar.ts';

const tool = [process.execPath, join(import.meta.dirname, '../dist/cli.mjs')];

/** A filesystem of its own as the only root, and the tool on it. VG names are the host's: each site has its own. */
export class Site implements AsyncDisposable {
  readonly root: string;
  readonly group: string;
  readonly #dispose: () => Promise<void>;

  private constructor(root: string, dispose: () => Promise<void>) {
    this.root = root;
    this.group = `ground-${/platter-ground-([^/]+)/.exec(root)?.[1]?.toLowerCase()}`;
    this.#dispose = dispose;
  }

  static async on(filesystem: Filesystem, size?: number): Promise<Site> {
    const folder = await mounted(filesystem, size);
    return new Site(folder.path, () => folder[Symbol.asyncDispose]());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await detach(await loopsIn(this.root));
    await this.#dispose();
  }

  lvmLoop(...words: string[]): Promise<Outcome> {
    return run([...tool, ...words], { env: { PLATTER_LVM_LOOP_DIRS: this.root } });
  }

  /** Files of so many MiB each; without a reserve, for the ground is small. */
  apply(files: Record<string, number>, ...flags: string[]): Promise<Outcome> {
    const said = Object.entries(files).flatMap(([name, size]) => ['--file', `${name}=${size}Mi`]);
    return this.lvmLoop('apply', this.group, ...said, '--reserve', '0%,0', '--no-activate', ...flags);
  }

  attach(): Promise<Outcome> {
    return this.lvmLoop('attach', this.group, '--no-activate');
  }

  image(file: string): string {
    return join(this.root, `${this.group}.${file}.img`);
  }

  async record(): Promise<VolumeGroup> {
    const { stdout } = await this.lvmLoop('list', '-o', 'json');
    return JSON.parse(stdout.split('\n')[0] as string) as VolumeGroup;
  }

  async sidecar(file: string): Promise<Sidecar> {
    return JSON.parse(await readFile(`${this.image(file)}.lvm-loop.json`, 'utf8')) as Sidecar;
  }

  loops(): Promise<Loop[]> {
    return loopsIn(this.root);
  }

  /** An LVM command of the test's own that sees some loops; by default all over files of the root. */
  async lvm(words: readonly string[], devices?: readonly string[]): Promise<string> {
    const seen = devices ?? (await this.loops()).map(({ device }) => device);
    const [verb = '', ...rest] = words;
    const config = 'activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0}';
    const env = { LVM_SYSTEM_DIR: join(this.root, '.lvm-loop'), LVM_SUPPRESS_FD_WARNINGS: '1' };
    return succeed(['lvm', verb, '--config', config, '--devices', seen.join(','), '--driverloaded', 'n', ...rest], {
      env,
    });
  }

  /** A volume at the first extent of a file, with bytes in it. */
  async volume(file: string, bytes: string): Promise<void> {
    await this.lvm(['lvcreate', '-an', '-Zn', '-Wn', '-L', '8M', '-n', 'data', this.group]);
    await write(this.image(file), bytes, 2 ** 20);
  }
}

export async function write(path: string, bytes: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, at);
  await file.sync();
  await file.close();
}

export async function read(path: string, length: number, at: number): Promise<string> {
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, at);
  await file.close();
  return buffer.toString();
}

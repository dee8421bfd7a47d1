import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { qmp } from '@platter/host/looks';
import { done, type Ran, tool } from '../test/tool.ts';

export const run = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export type Program = 'qemu-storage-daemon' | 'qemu-system-x86_64';

const monitorWords: Record<Program, (socket: string) => string[]> = {
  'qemu-storage-daemon': (socket) => [
    '--chardev',
    `socket,id=c,path=${socket},server=on,wait=off`,
    '--monitor',
    'chardev=c',
  ],
  'qemu-system-x86_64': (socket) => [
    ...['-M', 'none', '-nodefaults', '-display', 'none', '-S'],
    ...['-qmp', `unix:${socket},server=on,wait=off`],
  ],
};

/** A QEMU without a guest: disks are attached to it, and written through its NBD server. */
export class Machine {
  readonly socket: string;
  readonly #nbd: string;
  #process: ChildProcess | null = null;

  readonly folder: string;
  readonly #program: Program;
  readonly #as: readonly string[];

  /** `as`: words in front of it, such as another user's. */
  constructor(folder: string, program: Program, as: readonly string[] = []) {
    this.folder = folder;
    this.#program = program;
    this.#as = as;
    this.socket = join(folder, 'qmp');
    this.#nbd = join(folder, 'nbd');
  }

  ask(execute: string, words?: Record<string, unknown>): Promise<unknown> {
    return local().query(qmp(this.socket, execute, words));
  }

  /** Starts it, with images of disks as nodes of the disks' names. */
  async start(images: Record<string, string>): Promise<this> {
    for (const path of [this.socket, this.#nbd]) rmSync(path, { force: true });
    const [program = '', ...words] = [...this.#as, this.#program, ...monitorWords[this.#program](this.socket)];
    this.#process = spawn(program, words, { stdio: 'ignore' });
    const answers = () => this.ask('query-version').then(Boolean, () => false);
    while (!(await answers())) await pause(10);
    await this.ask('nbd-server-start', { addr: { type: 'unix', data: { path: this.#nbd } } });
    for (const [name, path] of Object.entries(images)) await this.attach(name, path);
    return this;
  }

  async attach(name: string, path: string): Promise<void> {
    const driver = path.endsWith('.raw') ? 'raw' : 'qcow2';
    const file = { driver: 'file', filename: path, discard: 'unmap' };
    await this.ask('blockdev-add', { driver, 'node-name': name, discard: 'unmap', file });
    await this.ask('block-export-add', { type: 'nbd', id: `e-${name}`, 'node-name': name, writable: true });
  }

  uri(name: string): string {
    return `nbd+unix:///${name}?socket=${this.#nbd}`;
  }

  io(name: string, ...commands: string[]): void {
    run('qemu-io', '-f', 'raw', ...commands.flatMap((one) => ['-c', one]), this.uri(name));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** What of ours there is in it: jobs, targets, bitmaps. */
  async traces(): Promise<{ jobs: string[]; targets: string[]; bitmaps: string[] }> {
    const jobs = (await this.ask('query-jobs')) as { id: string }[];
    const nodes = (await this.ask('query-named-block-nodes')) as {
      'node-name': string;
      'dirty-bitmaps'?: { name: string }[];
    }[];
    return {
      jobs: jobs.map(({ id }) => id),
      targets: nodes.map((node) => node['node-name']).filter((name) => name.startsWith('platter-t-')),
      bitmaps: nodes.flatMap((node) => node['dirty-bitmaps'] ?? []).map(({ name }) => name),
    };
  }
}

/** A process that writes a disk over NBD at random, one request after the other without a pause, until it is stopped. */
export class Writer {
  readonly #child: ChildProcess;
  readonly #next: () => string;
  /** Told instead of the next request, when the one before is done. */
  #waiting: (() => void) | null = null;
  written = 0;

  constructor(machine: Machine, name: string, { size, roll }: { size: number; roll: (limit: number) => number }) {
    this.#next = () => {
      const at = roll(size / 512) * 512;
      const length = Math.min(512 * (1 + roll(400)), size - at);
      const what = ['write -q', 'write -q', 'write -q -z', 'write -q -z -u', 'discard -q'][roll(5)] ?? '';
      return `${what}${what === 'write -q' ? ` -P ${1 + roll(255)}` : ''} ${at} ${length}\n`;
    };
    this.#child = spawn('qemu-io', ['-f', 'raw', machine.uri(name)], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.on('data', () => this.#prompted());
  }

  #prompted(): void {
    if (this.#waiting !== null) this.#waiting();
    else {
      this.written += 1;
      this.#child.stdin?.write(this.#next());
    }
  }

  /** Resolves when nothing is under way; nothing more is written then. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  resume(): void {
    this.#waiting = null;
    this.#prompted();
  }

  async stop(): Promise<void> {
    await this.pause();
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end('quit\n');
    await gone;
  }
}

/**
 * A machine that stops the writers right before the one transaction of a capture, copies all that the disks hold, and
 * lets them write again as soon as the transaction is made: what a captured point must hold.
 */
export class Witness {
  readonly #live: Live;
  readonly #writers: readonly Writer[];
  readonly truth: Record<string, Buffer> = {};

  constructor(live: Live, writers: readonly Writer[] = []) {
    this.#live = live;
    this.#writers = writers;
  }

  #copy(): void {
    const { machine, disks } = this.#live;
    const path = join(machine.folder, 'truth');
    for (const disk of disks) {
      run('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', machine.uri(disk), path);
      this.truth[disk] = readFileSync(path);
    }
  }

  get host(): Host {
    const machine = local();
    return {
      dry: false,
      query: (query) => machine.query(query),
      change: async (change) => {
        if (change.op !== 'qmp' || change.execute !== 'transaction') return machine.change(change);
        await Promise.all(this.#writers.map((writer) => writer.pause()));
        this.#copy();
        const answer = await machine.change(change);
        for (const writer of this.#writers) writer.resume();
        return answer;
      },
    };
  }
}

/** A repository that captures disks of a machine. */
export class Live {
  readonly root: string;

  readonly machine: Machine;
  readonly disks: readonly string[];

  constructor(machine: Machine, disks: readonly string[] = ['data']) {
    this.machine = machine;
    this.disks = disks;
    this.root = join(machine.folder, 'repo');
  }

  async init(): Promise<this> {
    mkdirSync(this.root, { recursive: true });
    await done(['init', '--repo', this.root]);
    return this;
  }

  capture(more: readonly string[] = [], host: Host = local()): Promise<Ran> {
    const words = this.disks.map((disk) => `${disk}=${disk}`);
    return tool(['capture', '--repo', this.root, '--vm', 'db', ...words, '--qmp', this.machine.socket, ...more], {
      host,
    });
  }

  ids(disk = 'data'): string[] {
    const points = join(this.root, 'vms/default/db/disks', disk, 'points');
    return (existsSync(points) ? readdirSync(points) : []).sort().map((name) => name.slice(7, -5));
  }

  async restored(id: string, disk = 'data'): Promise<Buffer> {
    const to = join(this.machine.folder, 'out');
    await done(['restore', `default/db/${disk}@${id}`, '--repo', this.root, '--file', '--to', to]);
    const bytes = readFileSync(to);
    rmSync(to);
    return bytes;
  }
}

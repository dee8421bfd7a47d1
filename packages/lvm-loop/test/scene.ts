import type { Call, Platter } from '@platter/command/call';
import { Failure as Failed, type Failure } from '@platter/host/failure';
import { applyGroup } from '../src/apply.ts';
import { attachOne } from '../src/attach.ts';
import { detachOne } from '../src/detach.ts';
import type { Common } from '../src/flags.ts';
import { nothingSaid, tell } from '../src/report.ts';
import type { Result } from '../src/result.ts';
import type { Session } from '../src/session.ts';
import type { GroupSpec } from '../src/spec.ts';
import { eachGroup } from '../src/sweep.ts';
import { takeAway } from '../src/takeaway.ts';
import { Machine } from './machine.ts';

const MiB = 2 ** 20;

/** A spec of the group `g` with files of so many MiB each. */
export const wanted = (files: Record<string, number>, more: Partial<GroupSpec> = {}): GroupSpec => ({
  name: 'g',
  scheme: 'VolumeGroup',
  vgName: null,
  nodeName: null,
  files: Object.entries(files).map(([name, size]) => ({ name, size: size * MiB, directory: null, fsUuid: null })),
  extentSize: null,
  sectorSize: null,
  sparse: false,
  directIO: null,
  activate: null,
  reserve: { percent: 0, floor: 0 },
  thinPools: [],
  ...more,
});

/** A host in memory with the root /pool, and our verbs on it. */
export class Scene implements Disposable {
  readonly machine = new Machine('/pool');
  readonly said: string[] = [];
  readonly records: Platter[] = [];
  #uuids = 0;

  [Symbol.dispose](): void {
    this.machine.dispose();
  }

  session(): Session {
    const call = {
      words: [],
      flags: { dir: [], node: undefined, 'host-pid': undefined, wait: 0 },
      env: {},
      version: '0.0.0',
      holder: { tool: 'lvm-loop', verb: 'test', pid: 1, host: 'node-a', since: '' },
      now: () => 0,
      random: (length: number) => Uint8Array.from({ length }, (_, at) => (at * 7 + this.#uuids++) % 200),
      uuid: () => `00000000-0000-4000-8000-${String(this.#uuids++).padStart(12, '0')}`,
      note: (text: string) => this.said.push(text),
      warn: (text: string) => this.said.push(text),
      emit: async (record: Platter) => void this.records.push(record),
    } as unknown as Call<Common>;
    const lvm = { version: [2, 3, 16] as const, dm: this.machine.dm, udev: false };
    return { call, host: this.machine, roots: ['/pool'], deeds: [], lvm, filesystems: new Map() };
  }

  /** What a run changed: the lines of its changes. */
  async lines(work: () => Promise<unknown>): Promise<string[]> {
    this.machine.lines = [];
    await work();
    return this.machine.lines;
  }

  async apply(files: Record<string, number>, more: Partial<GroupSpec> = {}): Promise<Result> {
    const [session, spec] = [this.session(), wanted(files, more)];
    const result = await applyGroup(session, spec);
    await tell(session, spec.name, result);
    return result;
  }

  attach(name = 'g'): Promise<void> {
    const session = this.session();
    return eachGroup(session, [name], async (group) => {
      await tell(session, name, { ...nothingSaid, seen: await attachOne(session, group, true) });
    });
  }

  detach(name = 'g', stayDown = false): Promise<void> {
    const session = this.session();
    return eachGroup(session, [name], (group) => detachOne(session, group, stayDown));
  }

  remove(word = 'g', withVolumes = false): Promise<void> {
    return takeAway(this.session(), word, withVolumes);
  }

  /** How a run that must fail failed, and that it changed nothing. */
  async refused(work: () => Promise<unknown>): Promise<Pick<Failure, 'kind' | 'message'>> {
    this.machine.lines = [];
    const failure = await work().then(
      () => new Failed('failed', 'it did not fail'),
      (error: Failure) => error,
    );
    if (this.machine.lines.length > 0) throw new Error(`changed: ${this.machine.lines.join('\n')}`);
    return { kind: failure.kind, message: failure.message };
  }

  sidecar(file: string): Record<string, unknown> {
    return JSON.parse(this.machine.node(`/pool/g.${file}.img.lvm-loop.json`).text);
  }

  edit(file: string, fields: Record<string, unknown>): void {
    const node = this.machine.node(`/pool/g.${file}.img.lvm-loop.json`);
    node.text = JSON.stringify({ ...this.sidecar(file), ...fields });
  }
}

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Ran } from '../test/tool.ts';
import { tool } from '../test/tool.ts';
import { Live, Machine, type Program, run, Witness, Writer } from './machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-qmp-'));
const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.end('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MiB = 2 ** 20;
const size = 16 * MiB + 512;

function image(dir: string, name: string, bytes = size): string {
  const path = join(dir, name);
  const format = name.endsWith('.raw') ? 'raw' : 'qcow2';
  run('qemu-img', 'create', '-q', '-f', format, path, String(bytes));
  return path;
}

async function live(
  program: Program = 'qemu-storage-daemon',
  names: readonly string[] = ['data.qcow2'],
): Promise<{ machine: Machine; repo: Live; images: Record<string, string> }> {
  const machine = new Machine(mkdtempSync(join(folder, 'm')), program);
  machines.push(machine);
  const images = Object.fromEntries(names.map((name) => [name.split('.')[0] ?? '', image(machine.folder, name)]));
  await machine.start(images);
  return { machine, repo: await new Live(machine, Object.keys(images)).init(), images };
}

const clean = { jobs: [], targets: [] };
const captureOf = ({ records }: Ran, n = 0) => records[n] as { type: string; capture: { fullReason: string | null } };

/** A small deterministic generator. */
function dice(seed: number): (limit: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

describe.each<Program>(['qemu-storage-daemon', 'qemu-system-x86_64'])('engine qmp, %s', (program) => {
  it('every point holds the bytes of its moment while two disks are written without a pause', async () => {
    const { machine, repo } = await live(program, ['data.qcow2', 'logs.qcow2']);
    const roll = dice(Number(process.env.PLATTER_SEED ?? 1));
    for (const disk of repo.disks) machine.io(disk, 'write -q -P 85 0 16M');
    const writers = repo.disks.map((disk) => new Writer(machine, disk, { size, roll }));
    const truth: Record<string, Record<string, Buffer>> = {};
    for (let n = 0; n < Number(process.env.PLATTER_ROUNDS ?? 3); n += 1) {
      const witness = new Witness(repo, writers);
      const ran = await repo.capture([], witness.host);
      expect([ran.failure, ran.misfits]).toEqual([null, []]);
      expect(captureOf(ran)).toMatchObject({
        type: n === 0 ? 'full' : 'incremental',
        consistency: 'crash',
        capture: {
          engine: 'qmp',
          fullReason: n === 0 ? 'first' : null,
          checkpoint: expect.stringMatching(/^platter-/),
        },
      });
      truth[repo.ids().at(-1) ?? ''] = witness.truth;
      expect(await machine.traces()).toMatchObject({ ...clean, bitmaps: expect.objectContaining({ length: 2 }) });
    }
    for (const writer of writers) await writer.stop();
    expect(Math.min(...writers.map(({ written }) => written))).toBeGreaterThan(100);
    for (const [id, disks] of Object.entries(truth))
      for (const [disk, bytes] of Object.entries(disks))
        expect((await repo.restored(id, disk)).equals(bytes), `${disk}@${id}`).toBe(true);
    expect((await tool(['validate', '--repo', repo.root, '--level', 'deep'])).code).toBe(0);
  });

  it('a killed QEMU publishes nothing; the next is a full, and then it goes on', async () => {
    const { machine, repo, images } = await live(program);
    machine.io('data', 'write -q -P 1 0 16M');
    await repo.capture();
    await machine.end();
    await machine.start(images);
    machine.io('data', 'write -q -P 2 1M 1M');
    const murder: Host = {
      ...local(),
      change: async (change) => {
        const answer = await local().change(change);
        if (change.op === 'qmp' && change.execute === 'transaction') await machine.end('SIGKILL');
        return answer;
      },
    };
    expect((await repo.capture([], murder)).code).not.toBe(0);
    expect(repo.ids()).toHaveLength(1);
    await machine.start(images);
    machine.io('data', 'write -q -P 3 2M 1M');
    const ran = await repo.capture();
    expect(captureOf(ran)).toMatchObject({ type: 'full', capture: { fullReason: 'bitmap-inconsistent' } });
    machine.io('data', 'write -q -P 4 3M 64k');
    const next = await repo.capture();
    expect(captureOf(next)).toMatchObject({ type: 'incremental', data: { dataClusters: 1 } });
    await machine.end();
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', images.data ?? '', join(machine.folder, 'now'));
    run('cmp', join(machine.folder, 'now'), await kept(repo));
  });
});

/** The newest point, restored to a file. */
async function kept(repo: Live): Promise<string> {
  const to = join(repo.machine.folder, 'kept');
  const ran = await tool(['restore', 'default/db/data@latest', '--repo', repo.root, '--file', '--to', to]);
  expect(ran.failure).toBeNull();
  return to;
}

describe('engine qmp', () => {
  it('goes on after a clean restart; an offline capture by the same bitmaps lies between', async () => {
    const { machine, repo, images } = await live();
    machine.io('data', 'write -q -P 1 0 4M');
    await repo.capture();
    machine.io('data', 'write -q -P 2 0 64k');
    await machine.end();
    const offline = await tool(['capture', '--repo', repo.root, '--vm', 'db', `data=${images.data}`]);
    expect(offline.records[0]).toMatchObject({ capture: { engine: 'bitmap' }, data: { dataClusters: 1 } });
    await machine.start(images);
    machine.io('data', 'write -q -P 3 64k 64k', 'discard -q 1M 128k');
    expect((await repo.capture()).records[0]).toMatchObject({
      capture: { engine: 'qmp' },
      data: { dataClusters: 1, zeroClusters: 2 },
    });
    expect((await machine.traces()).bitmaps).toHaveLength(1);
  });

  it('a raw disk has no bitmap after a restart, and a resized one another size: both are pushed whole', async () => {
    const { machine, repo, images } = await live('qemu-storage-daemon', ['data.raw']);
    machine.io('data', 'write -q -P 1 0 4M');
    expect(captureOf(await repo.capture())).toMatchObject({ type: 'full', capture: { source: { format: 'raw' } } });
    machine.io('data', 'write -q -P 2 0 64k');
    expect(captureOf(await repo.capture()).type).toBe('incremental');
    await machine.end();
    await machine.start(images);
    machine.io('data', 'write -q -P 3 0 64k');
    expect(captureOf(await repo.capture()).capture.fullReason).toBe('no-bitmap');
    await machine.end();
    run('qemu-img', 'resize', '-q', '-f', 'raw', images.data ?? '', '17M');
    await machine.start(images);
    expect(captureOf(await repo.capture()).capture.fullReason).toBe('resized');
    expect((await repo.restored('latest')).length).toBe(17 * MiB);
  });

  it('an unchanged disk makes no point and keeps its bitmap', async () => {
    const { machine, repo } = await live();
    machine.io('data', 'write -q -P 1 0 4M');
    await repo.capture();
    const { bitmaps } = await machine.traces();
    for (const same of [[], ['write -q -P 1 0 64k']]) {
      if (same.length > 0) machine.io('data', ...same);
      expect((await repo.capture()).records[0]).toMatchObject({ outcome: 'unchanged' });
      expect(await machine.traces()).toEqual({ ...clean, bitmaps });
    }
    expect(readdirSync(join(repo.root, 'vms/default/db/disks/data/data'))).toHaveLength(2);
  });

  it('a run killed at any change leaves QEMU to the next, which misses nothing', async () => {
    const { machine, repo } = await live();
    machine.io('data', 'write -q -P 1 0 8M');
    await repo.capture();
    for (let [n, isOver] = [1, false]; !isOver; n += 3) {
      machine.io('data', `write -q -P ${n + 1} ${n * 64}k 64k`, `write -q -z ${n * 128}k 64k`);
      let count = 0;
      const dying: Host = {
        ...local(),
        change: async (change) => {
          count += 1;
          if (count >= n) throw new Error('killed');
          return local().change(change);
        },
      };
      isOver = (await repo.capture([], dying)).code === 0;
      machine.io('data', `write -q -P ${n + 2} 4M 64k`);
      const witness = new Witness(repo);
      const ran = await repo.capture([], witness.host);
      expect([ran.failure, captureOf(ran).type]).toEqual([null, 'incremental']);
      expect((await repo.restored('latest')).equals(witness.truth.data as Buffer), `killed at ${n}`).toBe(true);
      expect(await machine.traces()).toMatchObject({
        ...clean,
        bitmaps: [expect.stringContaining(repo.ids().at(-1) ?? '')],
      });
    }
  });

  it('a job that fails is told, and nothing stays', async () => {
    const { machine, repo } = await live();
    machine.io('data', 'write -q -P 1 0 16M');
    await repo.capture(['--full', '-n']);
    run('mount', '-t', 'tmpfs', '-o', 'size=2M', 'tmpfs', repo.root);
    try {
      await repo.init();
      const ran = await repo.capture();
      expect([ran.code, ran.failure?.message]).toEqual([1, 'QEMU could not push platter-data']);
      expect(await machine.traces()).toEqual({ ...clean, bitmaps: [] });
      const left = readdirSync(repo.root, { recursive: true }).map(String);
      expect(left.filter((path) => /qcow2|\.dig/.test(path))).toEqual([]);
    } finally {
      run('umount', repo.root);
    }
  });

  it('order: one transaction, every job concluded before a node goes, old bitmaps after the set', async () => {
    const { machine, repo } = await live('qemu-storage-daemon', ['data.qcow2', 'logs.qcow2']);
    for (const disk of repo.disks) machine.io(disk, 'write -q -P 1 0 4M');
    await repo.capture();
    for (const disk of repo.disks) machine.io(disk, 'write -q -P 2 0 1M');
    const told: string[] = [];
    const machineHost = local();
    const host: Host = {
      dry: false,
      query: async (query) => {
        const answer = await machineHost.query(query);
        if (query.op === 'qmp' && query.execute === 'query-jobs')
          told.push(`jobs ${(answer as { status: string }[]).map(({ status }) => status).join()}`);
        return answer;
      },
      change: (change) => {
        if (change.op === 'qmp') told.push(change.execute);
        if (change.op === 'link' && change.to.includes('/sets/')) told.push('set');
        return machineHost.change(change);
      },
    };
    expect((await repo.capture([], host)).code).toBe(0);
    const from = told.indexOf('blockdev-add');
    const polls = told.filter((one) => one.startsWith('jobs ')).at(-1);
    expect(polls).toBe('jobs concluded,concluded');
    expect(told.slice(from).filter((one) => !one.startsWith('jobs '))).toEqual([
      ...['blockdev-add', 'blockdev-add', 'transaction', 'job-dismiss', 'job-dismiss', 'blockdev-del', 'blockdev-del'],
      ...['set', 'block-dirty-bitmap-remove', 'block-dirty-bitmap-remove'],
    ]);
    expect(told.lastIndexOf('jobs concluded,concluded')).toBeLessThan(told.indexOf('job-dismiss'));
  });

  it('a dry run shows the lines, and changes neither QEMU nor the repository', async () => {
    const { machine, repo } = await live();
    machine.io('data', 'write -q -P 1 0 4M');
    await repo.capture();
    const before = readdirSync(repo.root, { recursive: true });
    const traces = await machine.traces();
    const ran = await repo.capture(['-n']);
    expect([ran.failure, ran.records]).toEqual([null, []]);
    const lines = ran.steps
      .filter((line) => line.includes('socat'))
      .map((line) => /"execute":"([a-z-]+)"[^"]*(?:,"arguments"|\})/g[Symbol.match](line)?.at(-1));
    expect(lines).toHaveLength(4);
    expect(ran.steps.join('\n')).toMatch(/"sync":"bitmap","bitmap":"platter-[^"]*","bitmap-mode":"never"/);
    expect(readdirSync(repo.root, { recursive: true })).toEqual(before);
    expect(await machine.traces()).toEqual(traces);
  });

  it('refusals change nothing', async () => {
    const { machine, repo } = await live();
    const say = async (...words: string[]) =>
      (await tool(['capture', '--repo', repo.root, '--vm', 'db', ...words])).code;
    const at = ['--qmp', machine.socket];
    expect(await say('data=nothing', ...at)).toBe(3);
    expect(await say('a=data', 'b=data', ...at)).toBe(3);
    expect(await say('data=data', '--qmp', join(folder, 'absent'))).toBe(3);
    expect(await say('data=data', '--engine', 'qmp')).toBe(2);
    for (const more of [['--engine', 'diff'], ['--verify'], ['--format', 'raw'], ['--against', 'data=/x']])
      expect(await say('data=data', ...at, ...more)).toBe(2);
    await machine.end('SIGKILL');
    expect(await say('data=data', ...at)).toBe(4);
    expect(readdirSync(join(repo.root, 'vms'))).toEqual([]);
  });

  it('the target is lent to the owner of the socket and taken back', async () => {
    const dir = mkdtempSync(join(folder, 'm'));
    const machine = new Machine(dir, 'qemu-storage-daemon', [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
    ]);
    machines.push(machine);
    const path = image(dir, 'data.qcow2');
    for (const one of [folder, dir]) run('chmod', '0755', one);
    run('chown', '65534:65534', dir, path);
    await machine.start({ data: path });
    machine.io('data', 'write -q -P 1 0 4M');
    const repo = await new Live(machine).init();
    const ran = await repo.capture();
    expect(ran.failure).toBeNull();
    const data = join(repo.root, 'vms/default/db/disks/data/data');
    for (const name of readdirSync(data)) {
      const { mode, uid, gid } = statSync(join(data, name));
      expect([mode & 0o777, uid, gid]).toEqual([0o444, 0, 0]);
    }
  });
});

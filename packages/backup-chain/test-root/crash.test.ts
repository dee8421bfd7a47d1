import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { faulty } from '@platter/host/faulty';
import { local } from '@platter/host/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A machine whose process is gone from the n-th change on: nothing more happens, clean-up neither. */
function dying(n: number): { host: Host; died: () => boolean } {
  const machine = local();
  let count = 0;
  const host: Host = {
    dry: false,
    query: (query) => machine.query(query),
    change: async (change) => {
      count += 1;
      if (count >= n) throw new Failure('failed', 'killed');
      return machine.change(change);
    },
  };
  return { host, died: () => count >= n };
}

const failing = (n: number, what: string) => {
  let count = 0;
  const host = faulty(local(), { what, at: n });
  const counting: Host = {
    ...host,
    change: async (change) => {
      count += 1;
      return host.change(change);
    },
  };
  return { host: counting, died: () => count >= n };
};

const before = new Disk(24 * cluster).write(1, 2, 3, 9, 20);
const after = new Disk(24 * cluster).write(1, 2, 3, 9, 20).write(2, 11).zero(9);
const material = join(folder, 'material');
const place = join(folder, 'place');
const repo = join(place, 'repo');
const vm = join(repo, 'vms/default/db');
const image = join(place, 'disk.raw');
const capturing = [
  'capture',
  '--repo',
  repo,
  '--vm',
  'db',
  `data=${image}`,
  '--format',
  'raw',
  '--attach',
  `note=${image}.note`,
];

beforeAll(async () => {
  mkdirSync(repo, { recursive: true });
  await done(['init', '--repo', repo]);
  before.save(image);
  await done(capturing.slice(0, -2));
  cpSync(place, material, { recursive: true });
});

const fresh = (state: Disk): void => {
  rmSync(place, { recursive: true, force: true });
  cpSync(material, place, { recursive: true });
  state.save(image);
  new Disk(100).save(`${image}.note`);
};

const published = (): Map<string, string> => {
  const files = readdirSync(repo, { recursive: true }).map(String);
  const ours = files.filter(
    (path) => /\.(qcow2|dig|json)$/.test(path) && !path.includes('.tmp-') && !path.includes('trash/'),
  );
  return new Map(ours.map((path) => [path, readFileSync(join(repo, path)).toString('latin1')]));
};

const restored = async (): Promise<Buffer> => {
  const to = join(place, 'check.img');
  rmSync(to, { force: true });
  await done(['restore', 'default/db/data@latest', '--repo', repo, '--file', '--to', to, '--verify', 'full']);
  return readFileSync(to);
};

/** Names outside the trash that nobody may find after a whole run. */
const litter = (): string[] => {
  const paths = readdirSync(vm, { recursive: true })
    .map(String)
    .filter((path) => !path.startsWith('trash'));
  const ids = paths
    .filter((path) => path.includes('/points/'))
    .map((path) => path.slice(path.lastIndexOf('/') + 8, -5));
  const orphan = (path: string) =>
    /\.(qcow2|dig)$/.test(path) && !ids.includes(path.slice(path.lastIndexOf('/') + 1).split('.')[0] ?? '');
  const stray = (path: string) => /sets\/[^/]*\.d$/.test(path) && !paths.includes(path.replace(/\.d$/, '.json'));
  return paths.filter((path) => path.includes('.tmp-') || orphan(path) || stray(path));
};

/** What e2e/crash does to whole processes, here in this one and with every proof after each step. */
const faults = ['kill', 'enospc'] as const;

/** Disturbs a run at each of its changes in turn, until one is done undisturbed; says how many changes there are. */
async function everywhere(
  fault: string,
  work: (host: Host) => Promise<{ code: number }>,
  check: (died: boolean) => Promise<void>,
  prepare: () => void,
): Promise<number> {
  for (let n = 1; ; n += 1) {
    prepare();
    const { host, died } = fault === 'kill' ? dying(n) : failing(n, fault);
    const { code } = await work(host);
    if (died() && fault !== 'enospc') expect(code).not.toBe(0);
    await check(died());
    if (!died()) return n - 1;
  }
}

describe.each(faults)('%s at each change', (fault) => {
  it('of a capture: what was there stays, the new point is absent or whole, the next run tidies up', async () => {
    let known = new Map<string, string>();
    const prepare = () => {
      fresh(after);
      known = published();
    };
    const check = async (died: boolean) => {
      for (const [path, bytes] of known) expect(published().get(path), path).toBe(bytes);
      expect((await tool(['validate', '--repo', repo, '--level', 'fast'])).failure).toBeNull();
      if (died && fault !== 'kill')
        expect(litter().filter((path) => path.includes('.qcow2') || path.includes('.dig'))).toEqual([]);
      expect((await tool(capturing)).failure).toBeNull();
      expect(litter()).toEqual([]);
      expect((await restored()).equals(after.bytes)).toBe(true);
    };
    const changes = await everywhere(fault, (host) => tool(capturing, { host }), check, prepare);
    expect(changes).toBeGreaterThan(20);
  }, 300_000);

  it('of init', async () => {
    const prepare = () => {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(repo, { recursive: true });
    };
    const check = async () => {
      expect((await tool(['init', '--repo', repo])).failure).toBeNull();
      expect(readdirSync(repo).sort()).toEqual(['repo.json', 'vms']);
    };
    expect(await everywhere(fault, (host) => tool(['init', '--repo', repo], { host }), check, prepare)).toBeGreaterThan(
      8,
    );
  });
});

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeChain, pushed } from './foreign.ts';

export const disks = ['data-disk', 'log-disk'] as const;
const ids = ['cp-001', 'cp-002', 'cp-003'] as const;

// biome-ignore lint/suspicious/noExplicitAny: documents of a peer, which tests damage in any way
export type Json = any;

/** Writes a document into a tree. */
export function put(dir: string, path: string, content: Json): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), JSON.stringify(content));
}

/** Changes a document of a tree. */
export function edit(dir: string, path: string, change: (content: Json) => void): void {
  const content = JSON.parse(readFileSync(join(dir, path), 'utf8'));
  change(content);
  put(dir, path, content);
}

/** Images of two disks at three moments, made once. */
export class Material {
  readonly folder = mkdtempSync(join(tmpdir(), 'platter-oadp-'));
  /** What each disk held at each moment. */
  readonly states = new Map<string, Uint8Array[]>();
  #trees = 0;

  image = (disk: string, n: number): string => join(this.folder, `images/${disk}-${n}.qcow2`);

  constructor() {
    for (const [n, disk] of disks.entries())
      this.states.set(
        disk,
        makeChain(
          ids.map((_, moment) => this.image(disk, moment)),
          pushed(10 + 40 * n),
        ),
      );
  }

  /** A folder of its own. */
  next(): string {
    this.#trees += 1;
    const path = join(this.folder, String(this.#trees));
    mkdirSync(path);
    return path;
  }

  /** A tree as the data mover of OADP leaves it: a full and two increments of each VM, one backup of each moment. */
  tree(...vms: string[]): string {
    const dir = join(this.next(), 'tree');
    const places = (vms.length > 0 ? vms : ['shop/web']).map((name) => name.split('/') as [string, string]);
    for (const place of places) this.#vm(dir, place);
    for (const n of ids.keys()) this.#backup(dir, places, n);
    return dir;
  }

  #vm(dir: string, [namespace, vm]: readonly [string, string]): void {
    const base = `checkpoints/${namespace}/${vm}`;
    const checkpoints = ids.map((id, n) => {
      const folder = `${base}/${id}`;
      mkdirSync(join(dir, folder), { recursive: true });
      const files = disks.map((disk) => {
        const filename = `vmb-${n}-${disk}.qcow2`;
        cpSync(this.image(disk, n), join(dir, folder, filename));
        const { size } = statSync(join(dir, folder, filename));
        return { filename, diskName: 'disk', size, objectPath: `${folder}/${filename}` };
      });
      const type = n === 0 ? 'Full' : 'Incremental';
      const includedVolumes = disks.map((volumeName) => ({ volumeName, diskTarget: 'vda' }));
      const status = { type, checkpointName: id, includedVolumes };
      put(dir, `${folder}/vmb.json`, { metadata: { name: `vmb-${n}`, namespace }, status });
      put(dir, `${folder}/vmbt.json`, { metadata: { name: 'vmbt' } });
      return {
        ...{ id, type: type.toLowerCase(), ...(n === 0 ? {} : { parent: ids[n - 1] }) },
        ...{ timestamp: `2026-01-1${n}T02:00:00.123456789Z`, vmBackup: `vmb-${n}`, files },
        ...{ pvcs: ['disk', 'disk'], pvcSizes: ['1Gi', '1Gi'], referencedBy: [`day-${n}`] },
        ...{ vmbObjectPath: `${folder}/vmb.json`, vmbtObjectPath: `${folder}/vmbt.json` },
      };
    });
    put(dir, `${base}/index.json`, { vmName: vm, namespace, lastUpdated: '2026-01-12T02:00:01Z', checkpoints });
  }

  #backup(dir: string, places: readonly (readonly [string, string])[], n: number): void {
    const base = `manifests/day-${n}`;
    const backupName = `day-${n}`;
    const timestamp = `2026-01-1${n}T02:00:02Z`;
    for (const [namespace, name] of places) {
      const chain = { namespace, name, checkpointChain: ids.slice(0, n + 1), backupName, timestamp };
      put(dir, `${base}/${namespace}-${name}.json`, chain);
    }
    const vms = places.map(([namespace, name]) => {
      return { namespace, name, checkpointId: ids[n], manifestPath: `${base}/${namespace}-${name}.json` };
    });
    put(dir, `${base}/index.json`, { backupName, timestamp, vms });
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const index = 'checkpoints/shop/web/index.json';
export const folderOf = (id: string): string => `checkpoints/shop/web/${id}`;

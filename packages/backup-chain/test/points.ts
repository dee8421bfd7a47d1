import { stateId } from '@platter/qcow2/digest';
import { diskPaths, pointName, vmPaths } from '../src/layout.ts';
import { seal } from '../src/manifest.ts';
import type { Point } from '../src/manifest-kinds.ts';
import { heading } from '../src/publish.ts';
import type { DiskFacts, Leaf, VmFacts } from '../src/repository.ts';

const repo = { root: '/r', id: '4be1f6c2-6c0e-4d0e-9d54-0f6c3c9a7f11' };
const hex = (n: number): string => String(n).repeat(64).slice(0, 64);
const source = {
  path: '/s',
  ref: null,
  format: 'raw' as const,
  ino: '1',
  birthNs: '1',
  mtimeNs: '1',
  size: 131_072,
  sourceRoot: null,
};

/** The n-th point of a chain, 1 being its full. */
export function point(n: number, change: Partial<Point> = {}): Point {
  const id = `id-${n}`;
  const before = n === 1 ? null : { id: `id-${n - 1}`, stateId: stateId('uid', hex(n - 1)) };
  const chain = Array.from({ length: n }, (_, k) => `id-${k + 1}`);
  return seal({
    ...heading('BackupPoint'),
    repo: repo.id,
    disk: { namespace: 'default', vm: 'db', name: 'data', uid: 'uid' },
    id,
    sequence: n,
    type: n === 1 ? ('full' as const) : ('incremental' as const),
    parent: before,
    checkpointChain: chain,
    supersedes: [],
    virtualSize: 131_072,
    clusterSize: 65_536 as const,
    contentSha256: hex(n),
    stateId: stateId('uid', hex(n)),
    capturedAt: `2026-01-0${n}T00:00:00Z`,
    capturedAtFrom: 'clock' as const,
    consistency: 'offline' as const,
    capture: {
      engine: 'diff' as const,
      fullReason: null,
      checkpoint: null,
      unproven: [],
      tool: 'backup-chain 0.1.0',
      source,
    },
    data: { file: `${id}.0.qcow2`, size: 655_360, dataClusters: 3, zeroClusters: 0 },
    digests: { file: `${id}.0.dig`, sha256: hex(0) },
    labels: {},
    ...change,
  });
}

const leaf = (value: Point): Leaf<Point> => ({
  name: pointName(value.sequence, value.id),
  path: `/p/${value.id}`,
  value,
  fault: null,
});

/** A VM with one disk that holds these points, all of their files being there. */
export function scene(points: readonly Point[], change: Partial<DiskFacts> = {}): { facts: VmFacts; disk: DiskFacts } {
  const paths = vmPaths(repo.root, { namespace: 'default', vm: 'db' });
  const data = points.flatMap(({ data, digests }) => [
    { name: data.file, kind: 'file', size: data.size, nlink: 1 },
    { name: digests.file, kind: 'file', size: 320, nlink: 1 },
  ]);
  const disk: DiskFacts = {
    name: 'data',
    paths: diskPaths(paths, 'data'),
    identity: { name: 'disk.json', path: '/p/disk.json', value: { uid: 'uid', createdAt: '', self: '' }, fault: null },
    points: points.map(leaf),
    data,
    temporaries: [],
    ...change,
  };
  const facts: VmFacts = {
    repo,
    namespace: 'default',
    vm: 'db',
    paths,
    disks: [disk],
    sets: [],
    attachments: [],
    pins: [],
    temporaries: [],
  };
  return { facts, disk };
}

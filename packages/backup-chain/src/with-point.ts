import { diskPaths, pointName } from './layout.ts';
import type { Point } from './manifest-kinds.ts';
import type { DiskFacts, VmFacts } from './repository.ts';

/** A VM with one more point, as it would be read again. */
export function withPoint(facts: VmFacts, point: Point): VmFacts {
  const { name, uid } = point.disk;
  const paths = diskPaths(facts.paths, name);
  const file = pointName(point.sequence, point.id);
  const identity = { uid, createdAt: point.capturedAt, self: '' };
  const fresh: DiskFacts = {
    ...{ name, paths, points: [], data: [], temporaries: [] },
    identity: { name: 'disk.json', path: paths.identity, value: identity, fault: null },
  };
  const disk = facts.disks.find((one) => one.name === name) ?? fresh;
  const points = [...disk.points, { name: file, path: `${paths.points}/${file}`, value: point, fault: null }];
  return { ...facts, disks: [...facts.disks.filter((one) => one !== disk), { ...disk, points }] };
}

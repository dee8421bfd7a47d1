import { Failure } from '@platter/host/failure';
import { pathOf, type Volume } from './volume.ts';

/** Refuses a volume where a symlink, a directory or the like has the name of one of its images. */
export function refuseStrange(volume: Volume, ...roles: Parameters<typeof pathOf>[1][]): void {
  const path = roles.map((role) => pathOf(volume, role)).find((one) => volume.strange.includes(one));
  if (path === undefined) return;
  throw new Failure('refused', `will not touch ${volume.name}: ${path} is not a regular file`, {
    hint: 'move it out of the pool',
  });
}

import { join } from 'node:path';
import { type Fixture, idsOf, makeRepository } from '../repository.ts';
import type { Others } from './row.ts';

/** Makes a repository of three disks, none of which is that of the fixture. */
export async function makeOthers(root: string): Promise<Others> {
  const made = async (vm: string, disk: string, shift: number): Promise<Fixture> => {
    await makeRepository(root, { vm, disk, shift });
    const folder = join(root, 'vms/default', vm, 'disks', disk);
    return { root, disk: folder, ids: idsOf(folder) };
  };
  return {
    disk: await made('db', 'swap', 1),
    vm: await made('web', 'data', 2),
    repository: await made('db', 'data', 3),
  };
}

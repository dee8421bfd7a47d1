import type { Pool } from '../pool.ts';
import type { Image, Volume } from '../volume.ts';
import { separate, type Told } from './finding.ts';

interface Named extends Image {
  volume: Volume;
}

/** All committed names of a pool, by the image they name. */
export function namesByImage(volumes: readonly Volume[]): Map<string, Named[]> {
  const named = volumes.flatMap((volume) =>
    [volume.head, ...volume.revisions].flatMap((image) => (image === null ? [] : [{ ...image, volume }])),
  );
  return Map.groupBy(named, idOf);
}

export const idOf = ({ dev, ino }: Pick<Image, 'dev' | 'ino'>): string => `${dev}:${ino}`;

/** Images that two volumes name: a driver that writes heads in place would change both. A snapshot's own name is made to be one. */
export function sharedHeads(pool: Pool, volumes: readonly Volume[]): (Told & { name: string })[] {
  const saved = volumes.filter(({ file }) => file.volumeKind === 'saved');
  return [...namesByImage(saved).values()].flatMap((names) => {
    const [first, ...others] = [...Map.groupBy(names, ({ volume }) => volume.name)];
    return others.map(([name, own]) => {
      const [path = ''] = own.map((one) => one.path);
      const fix = separate(
        pool,
        own.map((one) => one.path),
      );
      const message = `${path} is the same file as ${first?.[1][0]?.path}: a head that Qubes writes in place changes both`;
      return { name, code: 'shared-head' as const, path, message, fix };
    });
  });
}

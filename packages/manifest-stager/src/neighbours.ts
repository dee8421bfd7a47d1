import type { Host } from '@platter/host/door';
import type { Candidate, Neighbour } from './conflict.ts';
import { addonFor, readers } from './consumer.ts';
import { installed } from './installed.ts';
import { fileOf } from './manifest.ts';
import { readObjects } from './objects.ts';
import type { Place } from './place.ts';
import { survey } from './staged.ts';

/** Every other file, staged in either mode or installed at the consumer's, that a manifest could meet. */
export async function neighbours(
  host: Host,
  { root, dir }: Place,
  { name, mode, consumer }: Omit<Candidate, 'objects'>,
): Promise<Neighbour[]> {
  const { manifests } = await survey(host, { root, dir });
  const staged = manifests.filter((other) => other.name !== name);
  const own = mode === 'every-boot' ? `${readers[consumer].folder}/${fileOf(name)}` : undefined;
  const there = (await installed(host, root, consumer)).filter(({ path }) => path !== own);
  return [
    ...staged.map((file) => ({ ...file, addon: file.mode === 'every-boot' ? addonFor(consumer, file.path) : null })),
    ...there.map((file) => ({ ...file, addon: addonFor(consumer, file.path) })),
  ].map(({ path, addon, content }) => {
    const { items, findings } = readObjects(content);
    return { path, addon, objects: items, unreadable: findings[0]?.message };
  });
}

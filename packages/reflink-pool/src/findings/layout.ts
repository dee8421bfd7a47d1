import { hold } from '@platter/host/looks';
import { extentsOf } from '@platter/host/tools/filefrag';
import { shellLine } from '@platter/units/shell';
import { typeName } from '../filesystem.ts';
import { adviceOn, fragOf } from '../frag.ts';
import { nocow } from '../lsattr.ts';
import { sameImage } from '../naming.ts';
import type { Pool } from '../pool.ts';
import { predictedMs } from '../prediction.ts';
import type { Image, Volume } from '../volume.ts';
import { ours, separate, type Told } from './finding.ts';

/** Heads of stopped volumes in so many pieces that every start waits for it, where flattening would make them few. */
export async function fragmented(pool: Pool, volume: Volume): Promise<Told[]> {
  const { name, head, work, file } = volume;
  if (head === null || work !== null || file.volumeKind !== 'saved') return [];
  const { path, advice, mappings } = await fragOf(pool, volume, { ref: name, image: head });
  if (advice === null || !(await helps(pool, head))) return [];
  return [
    { code: 'fragmented', path, message: `${path} lies in ${mappings} pieces`, fix: ours(pool, 'flatten', name) },
  ];
}

/** Whether an image would lie well once the pieces without a hole between them were one: flattening keeps holes. */
async function helps(pool: Pool, { path, allocated }: Image): Promise<boolean> {
  const held = await pool.host.query(hold(path));
  try {
    const map = await extentsOf(pool.host, held);
    const pieces = Array.from({ length: map.count }, (_, index) => map.at(index));
    const left = pieces.filter(({ at }, index) => {
      const before = pieces[index - 1];
      return before === undefined || before.at + before.length < at;
    }).length;
    const lying = { mappings: left, meanBytes: allocated / left, predicted: predictedMs(pool, left) };
    return adviceOn({ ...lying, type: pool.space.type }) === null;
  } finally {
    held.close();
  }
}

const committed = ({ head, revisions }: Volume): Image[] => [head, ...revisions].filter((image) => image !== null);

/** On btrfs: images that are overwritten in place, in a directory whose files are not, or the other way round. */
export async function nocowMix(pool: Pool, volumes: readonly Volume[]): Promise<Told[]> {
  if (typeName(pool.space) !== 'btrfs') return [];
  const found: Told[] = [];
  for (const [dir, families] of Map.groupBy(volumes, (volume) => volume.dir)) {
    const images = families.flatMap(committed);
    const flags = await nocow(pool.host, [dir, ...images.map(({ path }) => path)]);
    found.push(...mixedIn(pool, { dir, images, flags }));
  }
  return found;
}

/** Where all images of a directory agree it is the directory that is changed, else each image that differs from it. */
function mixedIn(
  pool: Pool,
  { dir, images, flags }: { dir: string; images: Image[]; flags: Map<string, boolean> },
): Told[] {
  const own = flags.get(dir) === true;
  const odd = images.filter(({ path }) => flags.get(path) === !own);
  const why = 'only one of them is copied on write, so a clone there fails';
  if (odd.length > 0 && odd.length === images.length)
    return [
      {
        code: 'nocow-mix',
        path: dir,
        message: `${dir} and its images differ: ${why}`,
        fix: shellLine(['chattr', own ? '-C' : '+C', '--', dir]),
      },
    ];
  const once = odd.filter((image, index) => odd.findIndex((other) => sameImage(image, other)) === index);
  return once.map((image) => ({
    code: 'nocow-mix',
    path: image.path,
    message: `${image.path} and its directory differ: ${why}`,
    fix: separate(
      pool,
      odd.filter((other) => sameImage(image, other)).map(({ path }) => path),
      false,
    ),
  }));
}

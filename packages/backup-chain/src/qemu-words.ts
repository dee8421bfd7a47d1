import type { Stack } from './stack.ts';

/** A chain as one nested QEMU node over descriptors 3, 4, ..., oldest first; no name in any header is followed. */
export function chainNode(count: number, file = (n: number) => `/proc/self/fd/${n + 3}`): object {
  let node: object | null = null;
  for (let n = 0; n < count; n += 1)
    node = { driver: 'qcow2', file: { driver: 'file', filename: file(n) }, backing: node };
  return node ?? {};
}

/** One QEMU node for each file and one for each image of it, as words of qemu-storage-daemon. */
interface Graph {
  words: string[];
  /** The name of each chain's newest image. */
  leaves: string[];
}

const blockdev = (node: object): string[] => ['--blockdev', JSON.stringify(node)];

function layerWords(n: number, backing: string | null): string[] {
  const [file, image] = [`f${n}`, `q${n}`];
  return [
    ...blockdev({ driver: 'file', 'node-name': file, filename: `/proc/self/fd/${n + 3}`, 'read-only': true }),
    ...blockdev({ driver: 'qcow2', 'node-name': image, file, 'read-only': true, backing }),
  ];
}

/**
 * Chains of so many files each as a flat graph. The files are descriptors 3, 4, ... through all chains, oldest first; no name in any header is followed.
 */
export function graphOf(counts: readonly number[]): Graph {
  const graph: Graph = { words: [], leaves: [] };
  let n = 0;
  for (const count of counts) {
    for (let k = 0; k < count; k += 1) graph.words.push(...layerWords(n + k, k === 0 ? null : `q${n + k - 1}`));
    n += count;
    graph.leaves.push(`q${n - 1}`);
  }
  return graph;
}

/** A read-only export over NBD for each name, of the leaf at the same place; a comma in a path is written twice. */
export const nbdWords = (path: string, names: readonly string[], leaves: readonly string[]): string[] => [
  ...['--nbd-server', `addr.type=unix,addr.path=${path.replaceAll(',', ',,')}`],
  ...names.flatMap((name, n) => ['--export', `type=nbd,id=e${n},node-name=${leaves[n]},name=${name},writable=off`]),
];

/** A writable image above a leaf, shown as a file; a comma in a path is written twice. */
export const overlayWords = (leaf: string, { overlay, shown }: { overlay: string; shown: string }): string[] => [
  ...blockdev({ driver: 'file', 'node-name': 'fo', filename: overlay }),
  ...blockdev({ driver: 'qcow2', 'node-name': 'qo', file: 'fo', backing: leaf }),
  '--export',
  `type=fuse,id=e0,node-name=qo,mountpoint=${shown.replaceAll(',', ',,')},writable=on`,
];

/** Where a client finds an export, or without a name the server. */
export const nbdUri = (path: string, name = ''): string =>
  `nbd+unix:///${name}?socket=${encodeURIComponent(path).replaceAll('%2F', '/')}`;

/** The same by the names of the files, for words that a person can paste. */
export const namedNode = ({ links }: Stack): string =>
  `json:${JSON.stringify(chainNode(links.length, (n) => links[n]?.name ?? ''))}`;

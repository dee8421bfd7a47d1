import type { Stack } from './stack.ts';

/** A chain as one nested QEMU node over descriptors 3, 4, ..., oldest first; no name in any header is followed. */
export function chainNode(count: number, file = (n: number) => `/proc/self/fd/${n + 3}`): object {
  let node: object | null = null;
  for (let n = 0; n < count; n += 1)
    node = { driver: 'qcow2', file: { driver: 'file', filename: file(n) }, backing: node };
  return node ?? {};
}

/** The same by the names of the files, for words that a person can paste. */
export const namedNode = ({ links }: Stack): string =>
  `json:${JSON.stringify(chainNode(links.length, (n) => links[n]?.name ?? ''))}`;

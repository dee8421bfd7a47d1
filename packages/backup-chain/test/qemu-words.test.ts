import { describe, expect, it } from 'vitest';
import { graphOf, nbdUri, nbdWords } from '../src/qemu-words.ts';

const nodes = (words: readonly string[]) =>
  words.flatMap((word, n) => (words[n - 1] === '--blockdev' ? [JSON.parse(word)] : []));

describe('a flat graph', () => {
  it('is one file and one image for each descriptor, read-only, each image on the one before', () => {
    const file = (n: number) => ({
      driver: 'file',
      'node-name': `f${n}`,
      filename: `/proc/self/fd/${n + 3}`,
      'read-only': true,
    });
    const image = (n: number, backing: string | null) => ({
      driver: 'qcow2',
      'node-name': `q${n}`,
      file: `f${n}`,
      'read-only': true,
      backing,
    });
    const { words, leaves } = graphOf([3, 1]);
    expect(nodes(words)).toEqual([
      ...[file(0), image(0, null)],
      ...[file(1), image(1, 'q0')],
      ...[file(2), image(2, 'q1')],
      ...[file(3), image(3, null)],
    ]);
    expect(leaves).toEqual(['q2', 'q3']);
  });
});

describe('exports over NBD', () => {
  it('are read-only, one for each leaf', () => {
    expect(nbdWords('/run/a,b.sock', ['data', 'root'], ['q2', 'q3'])).toEqual([
      ...['--nbd-server', 'addr.type=unix,addr.path=/run/a,,b.sock'],
      ...['--export', 'type=nbd,id=e0,node-name=q2,name=data,writable=off'],
      ...['--export', 'type=nbd,id=e1,node-name=q3,name=root,writable=off'],
    ]);
  });

  it.each([
    ['/run/a.sock', 'data', 'nbd+unix:///data?socket=/run/a.sock'],
    ['/run/a.sock', undefined, 'nbd+unix:///?socket=/run/a.sock'],
    ['/run/50% & #1?.sock', 'data', 'nbd+unix:///data?socket=/run/50%25%20%26%20%231%3F.sock'],
  ])('at %s are found by a client', (path, name, uri) => {
    expect(nbdUri(path, name)).toBe(uri);
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { bitmaps, dirty } from '../src/bitmaps.ts';
import { openLayer } from '../src/open.ts';
import { bytesSource } from '../src/source.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-bitmaps-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const image = join(folder, 'image.qcow2');
const socket = join(folder, 'nbd');

interface Extent {
  start: number;
  length: number;
  data: boolean;
}

/** What QEMU's NBD server says of a bitmap: `"data": false` is dirty. It ends with its one client. */
function asExported(name: string): [number, number][] {
  run('qemu-nbd', '--fork', '-r', '-f', 'qcow2', '-B', name, '-k', socket, image);
  const options = `driver=nbd,server.type=unix,server.path=${socket},x-dirty-bitmap=qemu:dirty-bitmap:${name}`;
  const extents = JSON.parse(run('qemu-img', 'map', '--output=json', '--image-opts', options)) as Extent[];
  return extents.filter(({ data }) => !data).map(({ start, length }) => [start, length]);
}

const action = fc.record({
  what: fc.constantFrom('write -P 7', 'write -z', 'write -z -u', 'discard'),
  at: fc.nat(8191),
  length: fc.integer({ min: 1, max: 600 }),
});

describe('a bitmap', () => {
  it('marks what QEMU says it marks, whatever its clusters and granules', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 9, max: 21 }),
        fc.integer({ min: 9, max: 20 }),
        fc.integer({ min: 1, max: 8192 }),
        fc.array(action, { maxLength: 12 }),
        async (cluster, granule, sectors, actions) => {
          rmSync(image, { force: true });
          const style = `cluster_size=${2 ** cluster}`;
          run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', style, image, String(sectors * 512));
          run('qemu-img', 'bitmap', '--add', '-g', String(2 ** granule), image, 'law');
          const words = actions
            .filter(({ at }) => at < sectors)
            .map(({ what, at, length }) => `${what} ${at * 512} ${Math.min(length, sectors - at) * 512}`);
          if (words.length > 0) run('qemu-io', '-f', 'qcow2', ...words.flatMap((word) => ['-c', word]), image);
          const layer = await openLayer(bytesSource(readFileSync(image)), 'attach');
          const found: [number, number][] = [];
          for await (const { at, length } of dirty(layer, 'law')) found.push([at, length]);
          expect(found).toEqual(asExported('law'));
          expect(await bitmaps(layer)).toEqual([
            { name: 'law', granularity: 2 ** granule, inUse: false, enabled: true },
          ]);
        },
      ),
      { numRuns: Number(process.env.PLATTER_ROUNDS ?? 60), seed: Number(process.env.PLATTER_SEED ?? 1) },
    );
  }, 600_000);
});

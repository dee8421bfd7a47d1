import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageMap, together } from '../src/image-map.ts';

const block = 4096;

/** An image that maps these blocks of a disk, in this order. */
const image = (places: readonly number[], shared: (place: number) => boolean) => {
  const map = new ImageMap();
  for (const [index, place] of places.entries())
    map.push({
      at: index * block,
      length: block,
      address: place * block,
      kind: 'data',
      shared: shared(place),
    });
  return map;
};

/** Images as blocks of a small disk, none twice in one image, and blocks that something else maps, too. */
const images = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 8 }), { maxLength: 4 });
const elsewhere = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 3 });

describe('images together', () => {
  it('reference each place once, and free what nothing else maps', () => {
    fc.assert(
      fc.property(images, images, elsewhere, (stays, goes, others) => {
        const all = [...stays, ...goes, others];
        const uses = (place: number) => all.filter((places) => places.includes(place)).length;
        const made = (some: number[][]) => some.map((places) => image(places, (place) => uses(place) > 1));
        const { referenced, freed } = together(made(stays), made(goes));
        const gone = [...new Set(goes.flat())].filter((place) => !stays.flat().includes(place));
        const inTwo = (place: number) => goes.filter((places) => places.includes(place)).length > 1;
        expect(referenced).toBe(new Set([...stays, ...goes].flat()).size * block);
        expect(freed).toBe(gone.filter((place) => !others.includes(place) || inTwo(place)).length * block);
      }),
      { numRuns: 500 },
    );
  });

  it('know what is alone, mapped, and not told', () => {
    const map = image([5, 6, 7], (place) => place === 6);
    expect([map.count, map.mapped, map.alone, map.opaque]).toEqual([3, 3 * block, 2 * block, false]);
    map.push({ at: 3 * block, length: block, address: 0, kind: 'opaque', shared: false });
    expect([map.opaque, together([map], []).referenced]).toEqual([true, 3 * block]);
  });

  it('take as many mappings as there are', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => 2 * index + 1);
    expect(together([], [image(many, () => false)])).toEqual({ referenced: 100_000 * block, freed: 100_000 * block });
  });
});

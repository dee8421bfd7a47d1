import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choose } from '../src/bearer.ts';
import { decide, type Wish } from '../src/decision.ts';
import { sha256 } from '../src/hash.ts';
import type { Mode } from '../src/manifest.ts';
import type { Both, Found, Manifest } from '../src/staged.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const [a, b] = [sha256(bytes('a')), sha256(bytes('b'))];
const staged = (mode: Mode, text: string): Manifest => ({
  name: 'x',
  mode,
  path: `/${mode}/x.yaml`,
  content: bytes(text),
  mtimeNs: 0n,
});
const found = (every: string | null, first: string | null): Both => ({
  'every-boot': every === null ? null : staged('every-boot', every),
  'first-boot': first === null ? null : staged('first-boot', first),
});
const odd = (kind: 'link' | 'dir' | 'fifo'): Found => ({ path: '/every-boot/x.yaml', kind });
const said = (both: Both, wish: Wish): string => {
  try {
    return decide(both, wish)
      .map(({ action, mode }) => `${action} ${mode}`)
      .join(', ');
  } catch (error) {
    return `${(error as { kind: string }).kind}: ${(error as { hint: string }).hint}`;
  }
};
const add = (mode: Mode): Wish => ({ verb: 'add', name: 'x', mode, sha256: a });
const replace = (mode: Mode, ifSha?: string): Wish => ({ verb: 'replace', name: 'x', mode, sha256: a, ifSha });
const rm = (ifSha?: string): Wish => ({ verb: 'remove', name: 'x', ifSha });
const [every, first] = ['every-boot', 'first-boot'] as const;

describe('the table of add, replace and rm', () => {
  it.for([
    ['absent', found(null, null), add(every), 'added every-boot'],
    ['absent', found(null, null), add(first), 'added first-boot'],
    ['absent', found(null, null), replace(every), 'refused: manifest-stager add x'],
    ['absent', found(null, null), rm(), 'refused: manifest-stager list'],
    ['same bytes', found('a', null), add(every), 'unchanged every-boot'],
    ['same bytes', found(null, 'a'), add(first), 'unchanged first-boot'],
    ['same bytes', found('a', null), replace(every), 'unchanged every-boot'],
    ['same bytes', found(null, 'a'), replace(first), 'unchanged first-boot'],
    ['same bytes', found('a', null), rm(), 'removed every-boot'],
    ['other bytes', found('b', null), add(every), 'refused: manifest-stager replace x'],
    ['other bytes', found(null, 'b'), add(first), 'refused: manifest-stager replace x'],
    ['other bytes', found('b', null), replace(every), 'replaced every-boot'],
    ['other bytes', found(null, 'b'), replace(first), 'replaced first-boot'],
    ['other bytes', found('b', null), rm(), 'removed every-boot'],
    ['other mode', found(null, 'a'), add(every), 'refused: manifest-stager rm x, then manifest-stager add x'],
    [
      'other mode',
      found('a', null),
      add(first),
      'refused: manifest-stager rm x, then manifest-stager add x --first-boot',
    ],
    [
      'other mode',
      found('a', null),
      replace(first),
      'refused: manifest-stager rm x, then manifest-stager add x --first-boot',
    ],
    ['other mode', found(null, 'b'), rm(), 'removed first-boot'],
    ['both modes', found('a', 'b'), add(every), 'refused: manifest-stager rm x, then manifest-stager add x'],
    ['both modes', found('a', 'b'), replace(every), 'refused: manifest-stager rm x, then add it again'],
    ['both modes', found('a', 'b'), rm(), 'removed every-boot, removed first-boot'],
    ['the hash seen', found('b', null), replace(every, b), 'replaced every-boot'],
    ['the hash seen', found('b', null), rm(b), 'removed every-boot'],
    ['another hash', found('b', null), replace(every, a), 'refused: look at it with manifest-stager show x'],
    ['another hash', found('b', null), rm(a), 'refused: look at it with manifest-stager show x'],
    ['another hash, but done', found('a', null), replace(every, b), 'unchanged every-boot'],
  ] as const)('%s: %#', ([, both, wish, answer]) => expect(said(both, wish)).toBe(answer));

  it.for(
    (['link', 'dir', 'fifo'] as const).flatMap((kind) =>
      [add(every), add(first), replace(every), rm()].map((wish) => [kind, wish] as const),
    ),
  )('a %s is never a manifest, and never absent: %#', ([kind, wish]) => {
    expect(said({ ...found(null, null), 'every-boot': odd(kind) }, wish)).toMatch(/^refused: look who/);
    expect(said({ ...found(null, 'a'), 'every-boot': odd(kind) }, wish)).toMatch(/^refused: look who/);
  });
  it('names both hashes', () => {
    expect(() => decide(found('b', null), rm(a))).toThrow(
      expect.objectContaining({ details: { staged: b, 'if-sha': a, at: '/every-boot/x.yaml' } }),
    );
  });
});

it('show gives the one that is there', () => {
  expect(choose(found(null, 'a'), 'x').mode).toBe('first-boot');
  for (const both of [found(null, null), found('a', 'a'), { ...found(null, null), 'first-boot': odd('link') }])
    expect(() => choose(both, 'x')).toThrow(expect.objectContaining({ kind: 'refused' }));
});

describe('laws', () => {
  const apply = (both: Both, wish: Wish, text: string): Both => {
    const changed = { ...both };
    for (const { action, mode } of decide(both, wish))
      if (action !== 'unchanged') changed[mode] = action === 'removed' ? null : staged(mode, text);
    return changed;
  };
  const wish = fc.record({
    verb: fc.constantFrom('add', 'replace', 'remove'),
    mode: fc.constantFrom(every, first),
    text: fc.constantFrom('a', 'b'),
  });

  it('whatever is done in whatever order, a name is in one mode only, and what was refused changed nothing', () => {
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 12 }), (wishes) => {
        let both = found(null, null);
        for (const { verb, mode, text } of wishes) {
          try {
            both = apply(both, { verb, name: 'x', mode, sha256: sha256(bytes(text)) } as Wish, text);
          } catch {
            continue;
          }
          expect([both[every], both[first]].filter(Boolean).length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 500 },
    );
  });
  it('add then rm is identity; twice the same is unchanged', () => {
    for (const mode of [every, first]) {
      const added = apply(found(null, null), add(mode), 'a');
      expect(apply(added, rm(), '')).toEqual(found(null, null));
      expect(said(added, add(mode))).toBe(`unchanged ${mode}`);
      expect(said(apply(apply(added, replace(mode), 'a'), replace(mode), 'a'), replace(mode))).toBe(
        `unchanged ${mode}`,
      );
    }
  });
});

import { describe, expect, it } from 'vitest';
import { copy, reflink } from '../src/changes.ts';
import { duplicate } from '../src/copy.ts';
import type { Change, Program } from '../src/door.ts';
import { output } from '../src/scripted.ts';

type Copy = Change & { op: 'copy' };

/** What duplicate makes of a cp that ends like this, and the limits it gave it. */
async function end(change: Copy, stderr: string) {
  let asked: Program | undefined;
  const failure = await duplicate(change, async (program) => {
    asked = program;
    return output({ code: stderr === '' ? 0 : 1, stderr });
  }).catch((error) => error);
  return { failure, limits: { timeout: asked?.timeout, stall: asked?.stall } };
}

const share: Copy = reflink('/a', '/b');
const bytes: Copy = copy('/a', '/b');

describe('cp', () => {
  it.each([
    'cp: failed to clone: Operation not supported',
    'cp: failed to clone: Invalid cross-device link',
    'cp: failed to clone: Invalid argument',
  ])('%s: this cannot be shared', async (stderr) => {
    expect((await end(share, stderr)).failure).toMatchObject({ kind: 'unsupported', details: { because: stderr } });
    expect((await end(bytes, stderr)).failure).toMatchObject({ kind: 'failed' });
  });

  it.each(['Input/output error', 'No space left on device', 'Permission denied', 'Device or resource busy'])(
    '%s: failed, never a copy',
    async (text) => {
      expect((await end(share, `cp: failed to clone '/b' from '/a': ${text}`)).failure).toMatchObject({
        kind: 'failed',
      });
    },
  );

  it.each(["cp: unrecognized option '--reflink=always'", "cp: unrecognized option '--sparse=always'"])(
    'of another make (%s): unsupported for good, with the package',
    async (stderr) => {
      for (const change of [share, bytes]) {
        const { failure } = await end(change, stderr);
        expect(failure).toMatchObject({ kind: 'unsupported', hint: 'apt-get install coreutils' });
        expect(failure.details.because).toBeUndefined();
      }
    },
  );

  it('is given up after a time when it clones, and when it stalls when it copies', async () => {
    expect((await end(share, '')).limits).toEqual({ timeout: 600_000, stall: undefined });
    expect((await end(bytes, '')).limits).toEqual({ timeout: undefined, stall: 60_000 });
    expect((await end(copy('/a', '/b', { timeout: 5 }), '')).limits).toEqual({ timeout: 5, stall: undefined });
  });
});

import { describe, expect, it } from 'vitest';
import { judgeContent, judgeTarget, type TargetFacts, type TargetWish } from '../src/target.ts';

const gib = 2 ** 30;
const device: TargetFacts = {
  said: '/dev/vdb',
  path: '/dev/vdb',
  kind: 'block',
  size: 40 * gib,
  sector: 512,
  readOnly: false,
  holdsSource: false,
  unfinished: false,
};
const plain: TargetWish = { file: false, delta: false, keepTail: false, confirm: undefined };
const why = (facts: Partial<TargetFacts>, wish: Partial<TargetWish> = {}, needed = 40 * gib): string | undefined =>
  judgeTarget({ ...device, ...facts }, { ...plain, ...wish }, needed)?.message;

describe('targets', () => {
  it.each<[string, Partial<TargetFacts>, Partial<TargetWish>, RegExp | undefined]>([
    ['a device that fits', {}, {}, undefined],
    ['absent under /dev, even with --file', { kind: 'absent', path: '/dev/vdx' }, { file: true }, /no such device/],
    ['absent elsewhere', { kind: 'absent', path: '/data/x' }, {}, /does not exist/],
    ['absent elsewhere with --file', { kind: 'absent', path: '/data/x' }, { file: true }, undefined],
    ['a directory', { kind: 'dir' }, { file: true }, /directory/],
    ['a character device', { kind: 'char' }, {}, /char/],
    ['a socket', { kind: 'socket' }, {}, /socket/],
    ['a file that exists', { kind: 'file' }, { file: true }, /exists/],
    ['a file, only --delta', { kind: 'file' }, { delta: true }, /exists/],
    ['a file, --delta and confirmed', { kind: 'file' }, { delta: true, confirm: '/dev/vdb' }, undefined],
    ['a file that a killed restore finished', { kind: 'file', unfinished: true }, { file: true }, undefined],
    [
      'a file of the chain itself',
      { kind: 'file', holdsSource: true },
      { delta: true, confirm: '/dev/vdb' },
      /a part of/,
    ],
    ['a new file in the repository', { kind: 'absent', path: '/r/x', holdsSource: true }, { file: true }, /a part of/],
    ['a symbolic link that leads nowhere', { kind: 'link', path: '/x' }, { file: true }, /link/],
    ['a device, but --file', {}, { file: true }, /block device/],
    ['read-only', { readOnly: true }, {}, /read-only/],
    ['too small', { size: 40 * gib - 512 }, {}, /too small/],
    ['too small, confirmed', { size: 39 * gib }, { confirm: '/dev/vdb' }, /too small/],
    ['what the repository lies on', { holdsSource: true }, { confirm: '/dev/vdb' }, /lies on it/],
  ])('%s', (_, facts, wish, expected) => {
    const said = why(facts, wish);
    if (expected === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(expected);
  });

  it('--keep-tail needs whole sectors', () => {
    expect(why({ sector: 4096 }, { keepTail: true }, gib + 512)).toMatch(/whole sectors of 4096/);
    expect(why({ sector: 512 }, { keepTail: true }, gib + 512)).toBeUndefined();
    expect(why({ sector: 4096 }, {}, gib + 512)).toBeUndefined();
  });

  it('what is on a device needs its name said', () => {
    const content = (what: Parameters<typeof judgeContent>[2][0], wish: Partial<TargetWish> = {}, needed = 40 * gib) =>
      judgeContent(device, { ...plain, ...wish }, [what, needed]);
    expect(content({ what: 'nothing' })).toBeNull();
    expect(content({ what: 'something', name: 'ext4 "scratch"' })).toMatchObject({
      kind: 'refused',
      message: 'will not write /dev/vdb: it holds ext4 "scratch"',
      details: { size: '40 GiB, needed 40 GiB' },
      hint: '--confirm=/dev/vdb',
    });
    expect(content({ what: 'unknown', why: 'ambivalent' })).toMatchObject({
      kind: 'refused',
      details: { by: 'ambivalent' },
    });
    expect(content({ what: 'nothing' }, {}, 20 * gib)?.message).toMatch(/twice as large/);
    expect(content({ what: 'nothing' }, {}, 20 * gib + 512)).toBeNull();
    expect(content({ what: 'unknown', why: '' }, { confirm: '/dev/vdb' })).toBeNull();
    expect(content({ what: 'something', name: 'x' }, { confirm: '/dev/vdc' })?.kind).toBe('refused');
  });
});

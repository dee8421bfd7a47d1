import { describe, expect, it } from 'vitest';
import { majorMinor } from '../src/device.ts';
import { output, scripted } from '../src/scripted.ts';
import { parseSignature, signature } from '../src/tools/blkid.ts';
import { parseLoops, serves } from '../src/tools/losetup.ts';
import { parseMounts } from '../src/tools/mountinfo.ts';
import { parseLocks, usedByQemu, writtenByQemu } from '../src/tools/proc-locks.ts';

const row = {
  name: '/dev/loop2',
  'back-file': '/a b',
  'back-ino': 12,
  'back-maj:min': '     254:0  ',
  autoclear: false,
  ro: true,
  dio: false,
  'log-sec': 4096,
  offset: 0,
  sizelimit: 0,
};
const listing = (...rows: object[]) => JSON.stringify({ loopdevices: rows });

describe('losetup', () => {
  it('trims padded device numbers', () =>
    expect(parseLoops(listing(row))[0]).toMatchObject({
      name: '/dev/loop2',
      inode: 12n,
      dev: '254:0',
      readOnly: true,
      sectorSize: 4096,
    }));
  it('nothing printed is no loop; no JSON is "could not tell"', () => {
    expect(parseLoops('')).toEqual([]);
    expect(() => parseLoops('oops')).toThrow('could not tell');
  });
  it('an inode beyond 2^53 keeps its digits', () => {
    const [loop] = parseLoops(listing(row).replace('"back-ino":12', '"back-ino":18446744073709551615'));
    expect(loop?.inode).toBe(18446744073709551615n);
  });
  it('an inode that was not told serves nobody', () => {
    const [loop] = parseLoops(listing({ ...row, 'back-ino': null }));
    expect(loop && serves(loop, { dev: 0xfe00n, ino: 0n })).toBe(false);
  });
  it('a loop serves the file with its device and inode only', () => {
    const [loop] = parseLoops(listing(row));
    expect(loop && [serves(loop, { dev: 0xfe00n, ino: 12n }), serves(loop, { dev: 0xfe01n, ino: 12n })]).toEqual([
      true,
      false,
    ]);
  });
  it.each([
    [0xfe00n, '254:0'],
    [0x700n, '7:0'],
    [0x10305n, '259:5'],
    [0x29n, '0:41'],
  ])('device %d is %s', (dev, words) => expect(majorMinor(dev)).toBe(words));
});

const locks = `1: FLOCK  ADVISORY  WRITE 12832 fe:00:9978840 0 EOF
2: OFDLCK ADVISORY  READ -1 00:27:258 100 101
2: -> OFDLCK ADVISORY  READ -1 00:27:258 203 203
3: OFDLCK ADVISORY  READ -1 fe:00:77 100 100
4: LEASE  ACTIVE    READ  1 fe:00:1 0 EOF`;

describe('/proc/locks', () => {
  it('reads hexadecimal devices, waiting lines and EOF', () => {
    const [first, second] = parseLocks(locks);
    expect(first).toMatchObject({ major: 254, minor: 0, inode: 9978840n, end: Number.POSITIVE_INFINITY });
    expect(second).toMatchObject({ minor: 0x27, pid: -1, start: 100, end: 101 });
  });
  it('byte 101 is a writer, byte 100 alone a user', () => {
    const parsed = parseLocks(locks);
    expect([
      writtenByQemu(parsed, 258n),
      writtenByQemu(parsed, 77n),
      usedByQemu(parsed, 77n),
      usedByQemu(parsed, 9978840n),
    ]).toEqual([true, false, true, false]);
  });
});

describe('mountinfo', () => {
  it('decodes octal escapes and skips optional fields', () => {
    const [mount] = parseMounts('36 35 98:0 /data /mnt\\0402 rw,noatime shared:1 master:2 - ext4 /dev/root rw\n');
    expect(mount).toEqual({
      device: '98:0',
      root: '/data',
      point: '/mnt 2',
      options: ['rw', 'noatime'],
      type: 'ext4',
      source: '/dev/root',
    });
  });
});

describe('blkid', () => {
  const probe = 'blkid -p -o export -- /d';
  it('undoes escapes', () =>
    expect(parseSignature('LABEL=a\\ b\nTYPE=ext4\n')).toEqual({ LABEL: 'a b', TYPE: 'ext4' }));
  it('nothing there is null, ambivalent is "could not tell"', async () => {
    expect(await signature(scripted({ [probe]: output({ code: 2 }) }), '/d')).toBeNull();
    await expect(signature(scripted({ [probe]: output({ code: 8 }) }), '/d')).rejects.toThrow('could not tell');
  });
});

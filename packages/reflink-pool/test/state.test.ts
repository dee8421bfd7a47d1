import { describe, expect, it } from 'vitest';
import { containerOf } from '../src/container.ts';
import { lines } from '../src/diff.ts';
import { limitMs, predictedMs } from '../src/prediction.ts';
import { isUnchanged, stateOf } from '../src/state.ts';
import { blocksOf } from '../src/stream.ts';
import type { Image } from '../src/volume.ts';

const image = (more: Partial<Image> = {}): Image => ({
  path: '/pool/v.img',
  ...{ dev: 1n, ino: 10n, size: 4096, allocated: 0, mode: 0o400, nlink: 1, mtimeNs: 5n, birthNs: 1n },
  ...more,
});
const file = { volumeKind: 'saved', rw: true } as never;

describe('a working copy', () => {
  it.each(Array.from({ length: 32 }, (_, bits) => bits))('is unchanged only when all five facts agree (%i)', (bits) => {
    const is = (bit: number) => (bits & (1 << bit)) !== 0;
    const work = image({ ino: 11n, size: is(0) ? 4096 : 8192, mtimeNs: is(1) ? 5n : 6n });
    const noted = { ino: is(2) ? '11' : '12', bootId: is(3) ? 'b' : 'c', startedAt: '', unclean: false };
    const volume = { head: image(), work, session: is(4) ? noted : null, file, revisions: [] };
    expect(isUnchanged(volume, 'b')).toBe(bits === 31);
  });

  it.each([
    [true, true, 'b', false, 'running'],
    [true, true, 'c', true, 'running'],
    [true, true, 'c', false, 'unclean'],
    [true, true, null, false, 'unclean'],
    [false, true, 'c', false, 'headless'],
    [true, false, null, false, 'stopped'],
    [false, false, null, false, 'broken'],
  ] as const)('head %s, work %s, boot %s, held %s: %s', (head, work, boot, held, state) => {
    const session = boot === null ? null : { ino: '10', bootId: boot, startedAt: '', unclean: false };
    const volume = {
      head: head ? image() : null,
      work: work ? image() : null,
      session,
      file,
      revisions: [image() as never],
    };
    expect(stateOf(volume, { bootId: 'b', held })).toBe(state);
  });
});

describe('a prediction', () => {
  const space = (type: number) => ({ free: 0, total: 0, type });
  const settings = (calibration: unknown) => ({ calibration }) as never;
  it('is linear in the mappings, with a default for each filesystem', () => {
    expect(predictedMs({ settings: settings(null), space: space(0x58465342) }, 1000)).toBe(40);
    expect(predictedMs({ settings: settings(null), space: space(0x9123683e) }, 1000)).toBe(15);
    const measured = settings({ baseUs: 60, usPerMapping: 21 });
    expect(predictedMs({ settings: measured, space: space(0x58465342) }, 10_000)).toBe(210.06);
  });
  it('gives a clone a minute, or ten times as long', () => {
    expect([limitMs(40), limitMs(60_000)]).toEqual([60_000, 600_000]);
  });
});

describe('containers', () => {
  const at = (offset: number, mark: string) => {
    const bytes = new Uint8Array(512);
    bytes.set(Buffer.from(mark, 'latin1'), offset);
    return bytes;
  };
  const nothing = new Uint8Array(512);
  it.each([
    ['qcow2', at(0, 'QFI\xfb')],
    ['VMDK', at(0, 'KDMV')],
    ['VMDK', at(0, '# Disk DescriptorFile\n')],
    ['VDI', at(64, '\x7f\x10\xda\xbe')],
    ['VHDX', at(0, 'vhdxfile')],
    ['VHD', at(0, 'conectix')],
  ])('%s is known by its first bytes', (format, start) => expect(containerOf(start, nothing)).toBe(format));
  it('a fixed VHD by its footer, and anything else by nothing', () => {
    expect(containerOf(nothing, at(0, 'conectix'))).toBe('VHD');
    expect(containerOf(at(1, 'QFI\xfb'), nothing)).toBeNull();
  });
});

describe('a stream', () => {
  it('becomes pieces that leave out blocks of zeros, wherever its chunks end', async () => {
    const bytes = Buffer.alloc(65_536 * 20 + 512);
    for (const [block, byte] of [
      [0, 1],
      [3, 2],
      [17, 3],
    ] as const)
      bytes[block * 65_536 + 7] = byte;
    bytes[bytes.length - 1] = 4;
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += 77_777) yield bytes.subarray(at, at + 77_777);
    };
    const [seen, rebuilt]: [number[], Buffer] = [[], Buffer.alloc(bytes.length)];
    for await (const { pieces } of blocksOf(chunks()))
      for (const { at, from } of pieces) {
        seen.push(at / 65_536);
        if (from !== 'zeros' && 'bytes' in from) rebuilt.set(from.bytes, at);
      }
    expect(seen).toEqual([0, 3, 17, 20]);
    expect(rebuilt.equals(bytes)).toBe(true);
  });
});

describe('lines of a diff', () => {
  it('hold 65,536 ranges each, and only the last is complete', () => {
    const ranges = Array.from({ length: 65_537 }, (_, index) => ({ at: index * 1024, length: 512 }));
    const side = { ref: '', path: '', ino: '', birthNs: '', mtimeNs: '', size: 0 };
    const told = [
      ...lines({ from: side, to: side, volume: 'v', align: 512 }, { method: 'extents', ranges, zeros: [] }),
    ];
    expect(told.map(({ ranges, complete }) => [ranges.length, complete])).toEqual([
      [65_536, false],
      [1, true],
    ]);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Label, parseLabel } from '../src/label.ts';
import { newPvUuid } from '../src/pv-uuid.ts';
import { labelBytes } from './machine.ts';

const real = new Uint8Array(readFileSync(join(import.meta.dirname, 'answers/label-pv.bin')));
const uuid = 'aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg';

/** The bytes of the sector at index 1 moved to another one, with its number corrected, which the checksum leaves out. */
function inSector(index: number): Uint8Array {
  const head = Buffer.alloc(2048);
  head.set(real.subarray(512, 1024), index * 512);
  head.writeBigUInt64LE(BigInt(index), index * 512 + 8);
  return head;
}
const spoilt = (at: number) => Uint8Array.from(real, (byte, index) => (index === at ? byte ^ 1 : byte));

describe('the label of a PV', () => {
  it.for<[string, Uint8Array, Label]>([
    ['as LVM writes it', real, { uuid }],
    ['as the model writes it', labelBytes(uuid), { uuid }],
    ['in the first sector', inSector(0), { uuid }],
    ['in the fourth sector', inSector(3), { uuid }],
    ['with a wrong checksum', spoilt(512 + 40), 'bad'],
    ['with a spoilt checksum', spoilt(512 + 16), 'bad'],
    ['with the number of another sector', spoilt(512 + 8), 'bad'],
    ['of another type', spoilt(512 + 24), 'absent'],
    ['without its mark', spoilt(512), 'absent'],
    ['in a short file', real.subarray(0, 700), 'absent'],
    ['in an empty file', new Uint8Array(0), 'absent'],
  ])('%s', ([, bytes, label]) => {
    expect(parseLabel(bytes)).toEqual(label);
  });

  it('gets a UUID of the form that LVM takes', () => {
    let seed = 0;
    const next = () => {
      seed = (seed * 75 + 74) % 65_537;
      return seed % 256;
    };
    const random = (length: number) => Uint8Array.from({ length }, next);
    const made = newPvUuid(random);
    expect(made).toMatch(/^[0-9A-Za-z]{6}(-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}$/);
    expect(newPvUuid(random)).not.toBe(made);
    expect(newPvUuid((length) => new Uint8Array(length).map((_, at) => (at === 0 ? 255 : at)))).not.toContain(
      'undefined',
    );
  });
});

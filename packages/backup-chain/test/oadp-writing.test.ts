import { describe, expect, it } from 'vitest';
import type { ChainSource } from '../src/export-chain.ts';
import { type Checkpoint, listedOf, mergedList, type Owner, refuseUneven } from '../src/oadp-writing.ts';

const owner: Owner = { namespace: 'shop', vm: 'web', backup: 'b2' };
const checkpoint = (id: string, parent: string | null, more: Partial<Checkpoint> = {}): Checkpoint => ({
  id,
  type: parent === null ? 'full' : 'incremental',
  parent,
  timestamp: '2026-01-12T02:00:00Z',
  vmBackup: id,
  images: [{ disk: 'log-disk', name: `${id}-log-disk.qcow2`, size: 327_680, virtualSize: 2 ** 30 }],
  objects: [],
  ...more,
});
const full = checkpoint('cp-1', null);
const next = checkpoint('cp-2', 'cp-1', { objects: [{ name: 'vmb.json', bytes: new Uint8Array() }] });

describe('a checkpoint in the index of a VM', () => {
  it('is told as OADP has it', () => {
    expect(listedOf(owner, full)).toEqual({
      id: 'cp-1',
      type: 'full',
      timestamp: '2026-01-12T02:00:00Z',
      vmBackup: 'cp-1',
      files: [
        {
          filename: 'cp-1-log-disk.qcow2',
          diskName: 'log-disk',
          size: 327_680,
          objectPath: 'checkpoints/shop/web/cp-1/cp-1-log-disk.qcow2',
        },
      ],
      pvcs: ['log-disk'],
      pvcSizes: [2 ** 30],
      referencedBy: ['b2'],
      vmbObjectPath: '',
      vmbtObjectPath: '',
    });
    expect(listedOf(owner, next)).toMatchObject({
      type: 'incremental',
      parent: 'cp-1',
      vmbObjectPath: 'checkpoints/shop/web/cp-2/vmb.json',
      vmbtObjectPath: '',
    });
  });
});

describe('a list of checkpoints that is there already', () => {
  const there = { ...listedOf({ ...owner, backup: 'b1' }, full), type: 'Full', theirs: 'kept' };

  it('keeps what it has and others need, and gets what is new at its end', () => {
    const merged = mergedList([there], owner, [full, next]);
    expect(merged).toEqual([{ ...there, referencedBy: ['b1', 'b2'] }, listedOf(owner, next)]);
    expect(mergedList(merged, owner, [full, next])).toEqual(merged);
    expect(mergedList(merged, owner, [full, next]).every((one, n) => one === merged[n])).toBe(true);
  });

  it.each([
    [{ type: 'incremental', parent: 'cp-0' }],
    [{ parent: 'cp-0' }],
    [{ files: ['cp-1-data.qcow2'] }],
    [{ files: [] }],
  ])('with another checkpoint of the same id, %j: 3', (other) => {
    expect(() => mergedList([{ ...there, ...other }], owner, [full])).toThrow(
      'the tree lists another checkpoint cp-1 of shop/web',
    );
  });

  it('that names files only is the same', () => {
    expect(mergedList([{ ...there, files: ['cp-1-log-disk.qcow2'], referencedBy: null }], owner, [full])).toMatchObject(
      [{ files: ['cp-1-log-disk.qcow2'], referencedBy: ['b2'] }],
    );
  });
});

describe('the disks of a set', () => {
  const chain = (disk: string, ...points: [id: string, type: string][]) =>
    ({ source: { disk }, points: points.map(([id, type]) => ({ id, type })) }) as unknown as ChainSource;
  const [a, b]: [[string, string], [string, string]] = [
    ['a', 'full'],
    ['b', 'incremental'],
  ];

  it('with one list of ids and types go', () => {
    expect(() => refuseUneven([chain('root', a, b), chain('data', a, b)])).not.toThrow();
  });

  it.each([
    [[chain('root', a, b), chain('data', b)]],
    [[chain('root', a, b), chain('data', a)]],
    [[chain('root', a, b), chain('data', a, ['b', 'full'])]],
  ])('with several are refused', (chains) => {
    expect(() => refuseUneven(chains)).toThrow(
      expect.objectContaining({ kind: 'refused', hint: expect.stringContaining('capture --full') }),
    );
  });
});

import type { Call } from '@platter/command/call';
import { describe, expect, it } from 'vitest';
import { documentsIn, ofDocuments } from '../src/documents.ts';
import { parseExtent, parseFile, parseReserve, parseShare } from '../src/spec.ts';

const read = (content: string, notes: string[] = []) =>
  ofDocuments(
    { input: async () => Buffer.from(content), note: (text: string) => notes.push(text) } as unknown as Call,
    '-',
  );

const ours = (spec: object, name = 'vm') =>
  JSON.stringify({ apiVersion: 'platter.dev/v1', kind: 'VolumeGroup', metadata: { name }, spec });
const files = [{ name: 'd0', size: '1Gi' }];
const theirs = (spec: object = {}, metadata: object = {}) =>
  JSON.stringify({
    apiVersion: 'storage.deckhouse.io/v1alpha1',
    kind: 'LVMVolumeGroup',
    metadata: { name: 'vg-on-files', ...metadata },
    spec: {
      type: 'Local',
      local: { nodeName: 'node-a' },
      actualVGNameOnTheNode: 'vg-1',
      fileDevices: [{ name: 'd0', directory: '/data', size: '1Gi' }],
      ...spec,
    },
  });

describe('a document', () => {
  it('of ours says what a group is to be', async () => {
    const yaml = `
apiVersion: platter.dev/v1
kind: VolumeGroup
metadata: {name: vm-scratch}
spec:
  vgName: scratch
  nodeName: node-a
  files: [{name: d0, directory: /data/pool, size: 20Gi, fsUuid: null}]
  extentSize: 8Mi
  sectorSize: 4096
  allocation: sparse
  directIO: 'off'
  activate: false
  reserve: {percent: 10, floor: 2Gi}
  thinPools: [{name: thin, size: 50%}]
---
`;
    expect(await read(yaml)).toMatchSnapshot();
  });

  it('of Deckhouse is taken as it is', async () => {
    const notes: string[] = [];
    const pool = { name: 'thin', size: '50%', allocationLimit: '150%' };
    expect(await read(theirs({ thinPools: [pool] }), notes)).toMatchSnapshot();
    expect(notes).toEqual(['vg-on-files: allocationLimit has no effect here']);
  });

  it('may be one of many, of a List, or a line', () => {
    expect(documentsIn('a: 1\n---\na: 2\n---\n')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(documentsIn('{"kind":"List","items":[{"a":1},{"a":2}]}')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(documentsIn('{"a":1}\n{"a":2}\n')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(documentsIn('{\n "a": 1\n}')).toEqual([{ a: 1 }]);
  });

  it.for([
    ['another kind', '{"kind":"Pod"}', 'usage'],
    ['an unknown key', ours({ files, size: 1 }), 'usage'],
    ['an unknown key of a file', ours({ files: [{ ...files[0], path: '/x' }] }), 'usage'],
    ['no files', ours({ files: [] }), 'usage'],
    ['33 files', ours({ files: Array.from({ length: 33 }, (_, at) => ({ name: `d${at}`, size: '1Gi' })) }), 'usage'],
    ['a file twice', ours({ files: [...files, ...files] }), 'usage'],
    [
      'a pool twice',
      ours({
        files,
        thinPools: [
          { name: 't', size: '1G' },
          { name: 't', size: '1G' },
        ],
      }),
      'usage',
    ],
    ['a fraction of a size', ours({ files: [{ name: 'd0', size: '1.5Gi' }] }), 'usage'],
    ['too small a size', ours({ files: [{ name: 'd0', size: '1Mi' }] }), 'usage'],
    ['too large a share', ours({ files, reserve: { percent: 91 } }), 'usage'],
    ['a group twice', `${ours({ files })}\n${ours({ files })}`, 'usage'],
    ['no YAML', 'a: [', 'usage'],
    ['block devices', theirs({ blockDeviceSelector: {} }), 'usage'],
    ['900Mi', theirs({ fileDevices: [{ name: 'd0', directory: '/data', size: '900Mi' }] }), 'usage'],
    ['1G', theirs({ fileDevices: [{ name: 'd0', directory: '/data', size: '1G' }] }), 'usage'],
    [
      'a directory with a slash at its end',
      theirs({ fileDevices: [{ name: 'd0', directory: '/data/', size: '1Gi' }] }),
      'usage',
    ],
    ['another type', theirs({ type: 'Shared' }), 'usage'],
    ['another unknown key', theirs({ foo: 1 }), 'usage'],
    ['being deleted', theirs({}, { deletionTimestamp: 'now' }), 'refused'],
  ] as const)('with %s is refused', async ([, content, kind]) => {
    const error = await read(content).then(
      () => null,
      (thrown: Error & { kind?: string }) => thrown,
    );
    expect(error?.name === 'Invalid' ? 'usage' : error?.kind).toBe(kind);
  });
});

describe('the words of the command line', () => {
  it('say a file', () => {
    expect(parseFile('d0=20Gi')).toEqual({ name: 'd0', size: 20 * 2 ** 30, directory: null, fsUuid: null });
    expect(parseFile('d0=20Gi@/a=b@c')).toMatchObject({ directory: '/a=b@c' });
  });

  it.for(['d0', 'd0=', '=1G', 'd0=1.5G', 'd0=1GB', 'd0=1G@'])('do not say a file with %s', (word) => {
    expect(() => parseFile(word)).toThrow(/is not a/);
  });

  it('say a reserve, an extent, a share', () => {
    expect(parseReserve('15%')).toEqual({ percent: 15, floor: 2 ** 30 });
    expect(parseReserve('0%,0')).toEqual({ percent: 0, floor: 0 });
    expect(parseExtent('4Mi')).toBe(4 * 2 ** 20);
    expect([parseShare('50%'), parseShare('1G')]).toEqual([{ percent: 50 }, { bytes: 2 ** 30 }]);
    for (const wrong of ['15', '91%', '-1%', '1.5%']) expect(() => parseReserve(wrong)).toThrow(/not a reserve/);
    for (const wrong of ['3Mi', '512K', '2Gi']) expect(() => parseExtent(wrong)).toThrow(/power of two/);
    for (const wrong of ['0%', '101%']) expect(() => parseShare(wrong)).toThrow(/not a/);
  });
});

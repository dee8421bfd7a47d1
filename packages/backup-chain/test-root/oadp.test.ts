import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { done, tool } from '../test/tool.ts';
import { disks, edit, folderOf, index, type Json, Material, put } from './oadp.ts';

const material = new Material();
afterAll(() => material.dispose());

async function repository(): Promise<string> {
  const root = join(material.next(), 'repo');
  mkdirSync(root);
  await done(['init', '--repo', root]);
  return root;
}

/** All that lies in a repository, but for who had its locks last. */
async function content(root: string): Promise<Json> {
  const all = Object.entries(await tree(root)).filter(([path]) => !path.endsWith('/lock'));
  return Object.fromEntries(all);
}

const bring = (root: string, dir: string, ...words: string[]) =>
  tool(['import', '--repo', root, '--oadp', dir, ...words]);

/** Every point of a VM holds what its disk held then, or the newest of each disk; the ids are those of the tree. */
async function holds(root: string, name: string, from = 0): Promise<void> {
  for (const disk of disks)
    for (const [n, state] of (material.states.get(disk) ?? []).entries()) {
      if (n < from) continue;
      const to = join(material.next(), 'disk');
      await done([
        'restore',
        `${name}/${disk}@cp-00${n + 1}`,
        '--repo',
        root,
        '--file',
        '--to',
        to,
        '--verify',
        'full',
      ]);
      expect(readFileSync(to).equals(state)).toBe(true);
    }
  await done(['validate', '--repo', root, '--level', 'deep']);
}

const outcomes = (records: readonly Json[]) =>
  records.filter(({ kind }) => kind === 'BackupPoint').map(({ outcome }) => outcome as string);

const vmb = 'vmb-1-data-disk.qcow2';
const first = (content: Json) => content.checkpoints[0];
const second = (content: Json) => content.checkpoints[1];

describe('an OADP tree', () => {
  it('is imported with its ids, times and objects; again everything exists', async () => {
    const root = await repository();
    const dir = material.tree();
    const { text, records } = await bring(root, dir, '--vm', 'shop/web', '--label', 'from=bsl');
    expect(text).toEqual([
      'shop/web@cp-001, cp-002, cp-003  3 sets, 2 disks, 6 points; chain names proven, content trusted on first use',
    ]);
    expect(records[2]).toMatchObject({
      ...{ kind: 'BackupSet', id: 'cp-001', capturedAt: '2026-01-10T02:00:00.123Z', capturedAtFrom: 'oadp' },
      ...{ consistency: 'unknown', members: [{ disk: 'data-disk' }, { disk: 'log-disk' }], labels: { from: 'bsl' } },
      attachments: [{ name: 'vmb.json' }, { name: 'vmbt.json' }],
    });
    expect(records[3]).toMatchObject({
      ...{ id: 'cp-002', parent: { id: 'cp-001' }, checkpointChain: ['cp-001', 'cp-002'] },
      capture: { engine: 'import-oadp', checkpoint: 'cp-002', unproven: ['content'] },
    });
    await holds(root, 'shop/web');
    const before = await content(root);
    const again = await bring(root, dir);
    expect(outcomes(again.records)).toEqual(Array(6).fill('exists'));
    expect(again.text[0]).toContain('6 points, all there before;');
    expect(await content(root)).toEqual(before);
    expect(readFileSync(join(root, 'vms/shop/web/sets/cp-001.d/vmb.json'))).toEqual(
      readFileSync(join(dir, folderOf('cp-001'), 'vmb.json')),
    );
  });

  it('grows night by night; what a merge took up or a policy let go does not come back', async () => {
    const root = await repository();
    const dir = material.tree();
    expect(outcomes((await bring(root, dir, '--backup', 'day-0')).records)).toEqual(['created', 'created']);
    expect(outcomes((await bring(root, dir)).records)).toEqual(['exists', 'exists', ...Array(4).fill('created')]);
    await done(['prune', 'shop/web', '--repo', root, '--keep-last', '1', '--fold', 'always', '--grace', '0s']);
    const before = await content(root);
    const { records, failure } = await bring(root, dir);
    expect(failure).toBeNull();
    expect(records.map(({ kind, id }) => [kind, id])).toEqual([
      ['BackupPoint', 'cp-003'],
      ['BackupPoint', 'cp-003'],
      ['BackupSet', 'cp-003'],
    ]);
    expect(await content(root)).toEqual(before);
  });

  it('a run cut short is gone on with', async () => {
    const root = await repository();
    const dir = material.tree();
    await bring(root, dir);
    const vm = join(root, 'vms/shop/web');
    for (const id of ['cp-002', 'cp-003']) rmSync(join(vm, `sets/${id}.json`));
    for (const disk of disks) rmSync(join(vm, `disks/${disk}/points/000003-cp-003.json`));
    rmSync(join(vm, 'disks/log-disk/points/000002-cp-002.json'));
    const { failure, records } = await bring(root, dir);
    expect(failure).toBeNull();
    expect(outcomes(records)).toEqual(['exists', 'exists', 'exists', 'created', 'created', 'created']);
    expect(readdirSync(join(vm, 'sets')).filter((name) => name.endsWith('.json'))).toHaveLength(3);
    await holds(root, 'shop/web');
  });

  it('of several VMs each is imported; one that is damaged is told, and the others are there', async () => {
    const root = await repository();
    const dir = material.tree('shop/web', 'a/b-c', 'default/db');
    rmSync(join(dir, 'checkpoints/a/b-c/cp-002', vmb));
    const { code, records, text } = await bring(root, dir);
    expect(code).toBe(7);
    expect(records.filter(({ kind }) => kind === 'Failure')).toMatchObject([{ failure: 'corrupt' }]);
    expect(text.map((line) => line.split('@')[0])).toEqual(['default/db', 'shop/web']);
    await holds(root, 'default/db');
    expect((await bring(root, dir, '--vm', 'shop/web')).code).toBe(0);
    expect((await bring(root, dir, '--vm', 'a/b-c')).code).toBe(5);
    expect((await bring(root, dir, '--vm', 'a/other')).code).toBe(3);
    expect((await bring(root, dir, '--backup', 'other')).code).toBe(3);
    expect((await bring(root, dir, '--backup', 'day-0')).code).toBe(0);
    expect((await bring(root, dir, '--uid', 'log-disk=x')).code).toBe(2);
  });

  it('is taken by what manifests say inside: two VMs whose names make one file name are two VMs', async () => {
    const root = await repository();
    const dir = material.tree('a-b/c', 'a/b-c');
    expect((await bring(root, dir, '--backup', 'day-2', '--vm', 'a-b/c')).code).toBe(5);
    expect((await bring(root, dir, '--backup', 'day-2', '--vm', 'a/b-c')).code).toBe(0);
    for (const n of [0, 1, 2]) {
      const base = join(dir, `manifests/day-${n}`);
      put(dir, `manifests/day-${n}/c.json`, {
        ...JSON.parse(readFileSync(join(base, 'a-b-c.json'), 'utf8')),
        ...{ namespace: 'a-b', name: 'c' },
      });
    }
    expect((await bring(root, dir, '--vm', 'a-b/c')).code).toBe(0);
    await holds(root, 'a-b/c');
    await holds(root, 'a/b-c');
  });

  it('--disks takes some; the set of a checkpoint never changes', async () => {
    const root = await repository();
    const dir = material.tree();
    expect((await bring(root, dir, '--disks', 'log-disk')).records.at(-1)).toMatchObject({
      members: [{ disk: 'log-disk' }],
    });
    expect((await bring(root, dir, '--disks', 'other')).code).toBe(3);
    expect((await bring(root, dir)).failure?.message).toContain('it names other disks');
    expect((await bring(root, dir)).code).toBe(3);
  });

  it('what is there with other content is refused, and increments need the latest point', async () => {
    const root = await repository();
    const dir = material.tree();
    await bring(root, dir, '--backup', 'day-0');
    const other = material.tree();
    const image = 'vmb-0-data-disk.qcow2';
    cpSync(material.image('log-disk', 0), join(other, folderOf('cp-001'), image));
    edit(other, index, (content) => {
      first(content).files[0].size = readFileSync(join(other, folderOf('cp-001'), image)).length;
    });
    expect((await bring(root, other)).failure).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('is there with other content'),
    });
    const raw = join(material.next(), 'raw');
    writeFileSync(raw, material.states.get('log-disk')?.[0] as Uint8Array);
    await done(['capture', '--repo', root, '--vm', 'shop/web', `log-disk=${raw}`, '--format', 'raw', '--full']);
    expect((await bring(root, dir)).failure?.message).toContain('is not the latest point');
    const captured = await repository();
    await done(['capture', '--repo', captured, '--vm', 'shop/web', `log-disk=${raw}`, '--format', 'raw']);
    expect((await bring(captured, dir)).failure?.hint).toBe('--full starts a new chain');
    const { records } = await bring(captured, dir, '--full');
    expect(records.map(({ sequence }) => sequence)).toEqual([1, 2, undefined, 2, 3, undefined, 3, 4, undefined]);
    expect(outcomes((await bring(captured, dir)).records)).toEqual(Array(6).fill('exists'));
  });
});

type Quirk = readonly [what: string, code: number, change: (dir: string) => void];

const manifest = 'manifests/day-2/shop-web.json';
const chained = (change: (content: Json) => void) => (dir: string) => edit(dir, manifest, change);
const indexed = (change: (content: Json) => void) => (dir: string) => edit(dir, index, change);
const image = (dir: string) => join(dir, folderOf('cp-002'), vmb);

/** A file of a tree that lies elsewhere, where a link leads to. */
const linked = (path: string) => (dir: string) => {
  const elsewhere = join(dirname(dir), 'canary');
  renameSync(join(dir, path), elsewhere);
  symlinkSync(elsewhere, join(dir, path));
};

const quirks: readonly Quirk[] = [
  [
    'chain items are objects',
    0,
    chained((it) => Object.assign(it, { checkpointChain: it.checkpointChain.map((id: string) => ({ id })) })),
  ],
  ['a type in capitals', 0, indexed((it) => Object.assign(second(it), { type: 'INCREMENTAL' }))],
  [
    'files are names',
    0,
    indexed((it) => Object.assign(second(it), { files: second(it).files.map((file: Json) => file.filename) })),
  ],
  [
    'files have no size',
    0,
    indexed((it) => Object.assign(second(it), { files: second(it).files.map(({ filename }: Json) => ({ filename })) })),
  ],
  [
    'a manifest under another name',
    0,
    (dir) =>
      renameSync(join(dir, manifest), join(dir, 'manifests/day-2/web.json')) ??
      edit(dir, 'manifests/day-2/index.json', (it) =>
        Object.assign(it.vms[0], { manifestPath: 'manifests/day-2/web.json' }),
      ),
  ],
  ['no manifests', 0, (dir) => rmSync(join(dir, 'manifests'), { recursive: true })],
  [
    'no vmb.json',
    0,
    (dir) =>
      rmSync(join(dir, folderOf('cp-002'), 'vmb.json')) ??
      edit(dir, index, (it) => Object.assign(second(it), { vmbObjectPath: '' })),
  ],
  ['no times', 0, indexed((it) => it.checkpoints.map((one: Json) => delete one.timestamp))],
  ['checkpoints listed newest first', 0, indexed((it) => it.checkpoints.reverse())],
  [
    'backing names of the files before',
    0,
    (dir) =>
      execFileSync('qemu-img', [
        'rebase',
        '-u',
        '-f',
        'qcow2',
        '-F',
        'qcow2',
        '-b',
        'vmb-0-data-disk.qcow2',
        image(dir),
      ]),
  ],
  ['further members', 0, indexed((it) => Object.assign(it, { superseded: true, extra: [{}] }))],
  [
    'an objectPath above',
    3,
    indexed((it) => Object.assign(second(it).files[0], { objectPath: `${folderOf('cp-002')}/../cp-001/${vmb}` })),
  ],
  [
    'an objectPath in another checkpoint',
    3,
    indexed((it) => Object.assign(second(it).files[0], { objectPath: `${folderOf('cp-001')}/${vmb}` })),
  ],
  ['an absolute objectPath', 3, indexed((it) => Object.assign(second(it).files[0], { objectPath: '/etc/passwd' }))],
  [
    'a file name that leads out',
    3,
    indexed((it) => Object.assign(second(it), { files: [`vmb-1-../../../../../canary.qcow2`] })),
  ],
  ['a vmbObjectPath elsewhere', 3, indexed((it) => Object.assign(second(it), { vmbObjectPath: '../vmb.json' }))],
  [
    'a manifestPath that leads out',
    3,
    (dir) => edit(dir, 'manifests/day-2/index.json', (it) => Object.assign(it.vms[0], { manifestPath: '../canary' })),
  ],
  [
    'an image that is a link',
    3,
    (dir) => renameSync(image(dir), join(dir, '..', 'canary')) ?? symlinkSync(join(dir, '..', 'canary'), image(dir)),
  ],
  [
    'a checkpoint that is a link',
    3,
    (dir) =>
      renameSync(join(dir, folderOf('cp-002')), join(dir, '..', 'canary')) ??
      symlinkSync(join(dir, '..', 'canary'), join(dir, folderOf('cp-002'))),
  ],
  ['an index that is a link', 5, linked(index)],
  ['a vmb.json that is a link', 3, linked(`${folderOf('cp-002')}/vmb.json`)],
  ['an image that is a folder', 3, (dir) => rmSync(image(dir)) ?? mkdirSync(image(dir))],
  ['an id that cannot be kept', 3, indexed((it) => Object.assign(it.checkpoints[2], { id: '-cp' }))],
  ['an id that leads out', 3, indexed((it) => Object.assign(it.checkpoints[2], { id: '../cp-003' }))],
  [
    'two checkpoints on one',
    3,
    (dir) =>
      rmSync(join(dir, 'manifests'), { recursive: true }) ??
      edit(dir, index, (it) => Object.assign(it.checkpoints[2], { parent: 'cp-001' })),
  ],
  [
    'another backing name',
    3,
    (dir) => execFileSync('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', '/etc/passwd', image(dir)]),
  ],
  [
    'a disk that cannot be named',
    3,
    (dir) =>
      renameSync(image(dir), image(dir).replace('data-disk', 'Data')) ??
      rmSync(join(dir, folderOf('cp-002'), 'vmb.json')) ??
      edit(dir, index, (it) =>
        Object.assign(second(it), { vmbObjectPath: null, files: ['vmb-1-Data.qcow2', second(it).files[1]] }),
      ),
  ],
  [
    'an object of more than 1 MiB',
    3,
    (dir) => writeFileSync(join(dir, folderOf('cp-002'), 'vmbt.json'), Buffer.alloc(2 ** 20 + 1, 0x20)),
  ],
  ['another size is listed', 5, indexed((it) => Object.assign(second(it).files[0], { size: 1 }))],
  ['an image is missing', 5, (dir) => rmSync(image(dir))],
  ['an image is not listed', 5, indexed((it) => second(it).files.pop())],
  [
    'an image ends early',
    5,
    (dir) =>
      writeFileSync(image(dir), readFileSync(image(dir)).subarray(0, 196_608)) ??
      edit(dir, index, (it) => Object.assign(second(it).files[0], { size: 196_608 })),
  ],
  ['the parent is missing', 5, indexed((it) => it.checkpoints.shift())],
  ['an increment without a parent', 5, indexed((it) => delete second(it).parent)],
  ['a circle', 5, indexed((it) => Object.assign(second(it), { parent: 'cp-003' }))],
  ['a checkpoint twice', 5, indexed((it) => it.checkpoints.push(it.checkpoints[2]))],
  ['an unknown type', 5, indexed((it) => Object.assign(second(it), { type: 'differential' }))],
  ['a name that does not begin with the backup', 5, indexed((it) => Object.assign(second(it), { vmBackup: 'vmb-9' }))],
  ['an index of another VM', 5, indexed((it) => Object.assign(it, { vmName: 'db' }))],
  [
    'an index that is cut',
    5,
    (dir) => writeFileSync(join(dir, index), readFileSync(join(dir, index)).subarray(0, 900)),
  ],
  ['an empty index', 5, (dir) => writeFileSync(join(dir, index), '')],
  ['no index', 5, (dir) => rmSync(join(dir, index))],
  ['a chain member is missing', 5, chained((it) => it.checkpointChain.shift())],
  ['a chain in another order', 5, chained((it) => it.checkpointChain.reverse())],
  ['a chain with a stranger', 5, chained((it) => it.checkpointChain.push('cp-004'))],
  [
    'an index of a backup that is cut',
    5,
    (dir) => writeFileSync(join(dir, 'manifests/day-1/index.json'), '{"backupName": "day-1"'),
  ],
  ['a manifest that is cut', 5, (dir) => writeFileSync(join(dir, manifest), '{')],
  ['a manifest that is missing', 5, (dir) => rmSync(join(dir, manifest))],
  [
    'a backup that ends elsewhere',
    5,
    (dir) => edit(dir, 'manifests/day-2/index.json', (it) => Object.assign(it.vms[0], { checkpointId: 'cp-002' })),
  ],
  [
    'a backup under another name',
    5,
    (dir) => edit(dir, 'manifests/day-2/index.json', (it) => Object.assign(it, { backupName: 'day-9' })),
  ],
  ['a vmb.json that is cut', 5, (dir) => writeFileSync(join(dir, folderOf('cp-002'), 'vmb.json'), '{')],
  [
    'a vmb.json of other disks',
    5,
    (dir) =>
      edit(dir, `${folderOf('cp-002')}/vmb.json`, (it) =>
        Object.assign(it.status, { includedVolumes: [{ volumeName: 'log-disk' }] }),
      ),
  ],
  [
    'a disk that its parent does not have',
    5,
    (dir) =>
      rmSync(join(dir, folderOf('cp-001'), 'vmb.json')) ??
      edit(dir, index, (it) => Object.assign(first(it), { vmbObjectPath: null, files: [first(it).files[1]] })),
  ],
];

describe('an OADP tree with', () => {
  it.each(quirks)('%s ends %i, for validate as for import, and a refusal makes nothing', async (_, code, change) => {
    const root = await repository();
    const dir = material.tree();
    change(dir);
    const told = await tool(['validate', '--oadp', dir]);
    expect(told.misfits).toEqual([]);
    expect([told.code, told.failure?.message]).toEqual([code, told.failure?.message]);
    const before = await content(root);
    const brought = await bring(root, dir);
    expect([brought.code, brought.failure?.message]).toEqual([code, brought.failure?.message]);
    if (code === 0) await holds(root, 'shop/web', 2);
    else expect(await content(root)).toEqual(before);
  });

  it('paths that lead out: nothing outside of it is opened, and nobody is called', async () => {
    const out = [
      'an objectPath above',
      'a file name that leads out',
      'an image that is a link',
      'a checkpoint that is a link',
      'a manifestPath that leads out',
      'another backing name',
    ];
    for (const [what, code, change] of quirks.filter(([name]) => out.includes(name) || name === 'files are names')) {
      const root = await repository();
      const dir = material.tree();
      const canary = join(dirname(dir), 'canary');
      change(dir);
      const ran = await strace(['backup-chain', 'import', '--repo', root, '--oadp', dir], {
        trace: 'openat,open,openat2,connect,execve',
      });
      expect([what, ran.code]).toEqual([what, code]);
      const touched = ran.calls.filter((call) => call.includes(material.folder) && !/= -1 E/.test(call));
      const strange = touched.filter(
        (call) => !call.includes(`"${dir}`) && !call.includes(`"${root}`) && !call.includes('"/proc/self/fd'),
      );
      expect([what, strange]).toEqual([what, []]);
      expect(ran.calls.filter((call) => call.includes(canary))).toEqual([]);
      expect(ran.calls.filter((call) => call.startsWith('connect(') || call.includes('/etc/passwd'))).toEqual([]);
      expect(
        ran.calls.filter(
          (call) => call.startsWith('openat(') && call.includes(`"${dir}`) && /O_(WRONLY|RDWR|CREAT)/.test(call),
        ),
      ).toEqual([]);
    }
  });

  it('validate tells every image and every fault, and has nothing to do with a repository', async () => {
    const dir = material.tree();
    const good = await done(['validate', '--oadp', dir, '--level', 'deep']);
    expect(good.records.map(({ metadata, ok, layers }) => [(metadata as Json).name, ok, layers])).toEqual([
      [dir, true, 0],
      ['shop/web', true, 0],
      ['shop/web/data-disk', true, 3],
      ['shop/web/log-disk', true, 3],
    ]);
    rmSync(image(dir));
    indexed((it) => Object.assign(it.checkpoints[2].files[1], { size: 5 }))(dir);
    const { records, code } = await tool(['validate', '--oadp', dir]);
    expect(code).toBe(5);
    expect((records[1] as Json).findings.map(({ rule, message }: Json) => [rule, message])).toEqual([
      ['oadp', 'it is missing'],
      ['oadp', expect.stringContaining('but 5 are listed')],
    ]);
    expect((await tool(['validate', '--oadp', material.folder])).code).toBe(3);
    expect((await tool(['validate', '--oadp', dir, 'shop/web@latest'])).code).toBe(2);
  });
});

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { strace } from '../../../e2e/ground/strace.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { cluster, Disk } from '../test/model.ts';
import { done, tool } from '../test/tool.ts';
import { flip } from './repository.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-oadp-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fresh = (): string => mkdtempSync(join(folder, 'x-'));
const root = join(folder, 'repo');
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

const disks = { root: new Disk(12 * cluster), 'log-disk': new Disk(9 * cluster + 512), 'data-disk': new Disk(cluster) };
const states: Record<string, Uint8Array>[] = [];
const ids: string[] = [];
const vmb = (name: string, more = {}) => JSON.stringify({ kind: 'VirtualMachineBackup', metadata: { name }, ...more });

async function capture(...more: string[]): Promise<string> {
  const words = Object.entries(disks).map(([name, disk]) => {
    disk.save(join(folder, `${name}.raw`));
    return `${name}=${join(folder, `${name}.raw`)}`;
  });
  const { records } = await done(['capture', '--repo', root, '--vm', 'shop/web', ...words, '--format', 'raw', ...more]);
  return String(records.at(-1)?.id);
}

beforeAll(async () => {
  mkdirSync(root);
  await done(['init', '--repo', root]);
  for (const n of [0, 1, 2]) {
    disks.root.write(n, 5 + n).zero(n + 1);
    disks['log-disk'].write(9, 2 * n);
    disks['data-disk'].write(0);
    if (n === 2) disks['log-disk'].resize(11 * cluster);
    const file = join(folder, 'vmb.json');
    writeFileSync(
      file,
      vmb('nightly-7', {
        status: { includedVolumes: [{ volumeName: 'root' }, { volumeName: 'log-disk' }, { volumeName: 'data-disk' }] },
      }),
    );
    const attached = n === 1 ? ['--attach', `vmb.json=${file}`, '--attach', `other.txt=${file}`] : [];
    ids.push(await capture(...attached));
    states.push(Object.fromEntries(Object.entries(disks).map(([name, { bytes }]) => [name, bytes.slice()])));
  }
});

const exporting = (dir: string, backup = 'b1', address = 'shop/web@latest', ...more: string[]) =>
  tool(['export', address, '--repo', root, '--oadp', dir, '--backup', backup, ...more]);
const vmOf = (dir: string): string => join(dir, 'checkpoints/shop/web');

/** Imports a tree elsewhere and restores every disk of every checkpoint. */
async function arrives(dir: string, backup: string, last = 2): Promise<void> {
  const other = join(fresh(), 'other');
  mkdirSync(other);
  await done(['init', '--repo', other]);
  await done(['import', '--repo', other, '--oadp', dir, '--backup', backup]);
  await done(['validate', '--repo', other, '--level', 'deep']);
  for (const [n, id] of ids.slice(0, last + 1).entries())
    for (const [name, bytes] of Object.entries(states[n] as object)) {
      const to = join(fresh(), 'disk');
      await done(['restore', `shop/web/${name}@${id}`, '--repo', other, '--file', '--to', to]);
      expect(readFileSync(to).equals(bytes), `${name}@${id}`).toBe(true);
    }
  const contents = async (repo: string) => {
    const { records } = await done(['list', 'shop/web', '--points', '--repo', repo]);
    const told = records.map(({ id, contentSha256, metadata }) => ({ id, contentSha256, metadata }));
    return told.filter(({ id }) => ids.slice(0, last + 1).includes(String(id)));
  };
  expect(await contents(other)).toEqual(await contents(root));
}

describe('export --oadp', () => {
  it('makes the tree that OADP has', async () => {
    const dir = fresh();
    const { records, code, misfits } = await exporting(dir);
    expect([code, misfits]).toEqual([0, []]);
    const paths = Object.keys(await tree(dir)).filter((path) => statSync(join(dir, path)).isFile());
    const images = ids.flatMap((id, n) =>
      Object.keys(disks).map((disk) => `checkpoints/shop/web/${id}/${n === 1 ? 'nightly-7' : id}-${disk}.qcow2`),
    );
    const rest = ['checkpoints/shop/web/index.json', 'manifests/b1/index.json', 'manifests/b1/shop-web.json'];
    const expected = [...images, `checkpoints/shop/web/${ids[1]}/vmb.json`, ...rest].sort();
    expect(paths.sort()).toEqual(expected);
    expect(records).toMatchObject([{ kind: 'BackupExport', form: 'oadp', path: dir }]);
    expect((records[0] as { files: string[] }).files.sort()).toEqual(expected.map((path) => join(dir, path)));
    expect((records[0] as { bytes: number }).bytes).toBe(
      images.reduce((sum, path) => sum + statSync(join(dir, path)).size, 0),
    );
    const { capturedAt } = json(join(root, 'vms/shop/web/sets', `${ids[2]}.json`));
    expect(json(join(dir, 'manifests/b1/index.json'))).toEqual({
      backupName: 'b1',
      timestamp: capturedAt,
      vms: [{ name: 'web', namespace: 'shop', checkpointId: ids[2], manifestPath: 'manifests/b1/shop-web.json' }],
    });
    expect(json(join(dir, 'manifests/b1/shop-web.json'))).toEqual({
      namespace: 'shop',
      name: 'web',
      checkpointChain: ids,
      backupName: 'b1',
      timestamp: capturedAt,
    });
    const index = json(join(vmOf(dir), 'index.json'));
    expect(index).toMatchObject({ vmName: 'web', namespace: 'shop', lastUpdated: expect.stringMatching(/Z$/) });
    expect(index.checkpoints).toMatchObject([
      { id: ids[0], type: 'full', vmBackup: ids[0], vmbObjectPath: '', vmbtObjectPath: '', referencedBy: ['b1'] },
      {
        id: ids[1],
        type: 'incremental',
        parent: ids[0],
        vmBackup: 'nightly-7',
        vmbObjectPath: `checkpoints/shop/web/${ids[1]}/vmb.json`,
      },
      {
        parent: ids[1],
        pvcs: ['data-disk', 'log-disk', 'root'],
        pvcSizes: [cluster, 11 * cluster, 12 * cluster],
        files: [{ diskName: 'data-disk' }, { diskName: 'log-disk', filename: `${ids[2]}-log-disk.qcow2` }, {}],
      },
    ]);
    for (const path of images) expect((statSync(join(dir, path)).mode & 0o777).toString(8)).toBe('444');
  });

  it('imported elsewhere, every disk of every checkpoint is restored as it was, and contents are equal', async () => {
    const dir = fresh();
    await exporting(dir);
    await arrives(dir, 'b1');
  });

  it('goes into a tree that is there: what it has stays, files are shared, each backup arrives', async () => {
    const dir = fresh();
    await exporting(dir, 'b1', `shop/web@${ids[1]}`);
    const path = join(vmOf(dir), 'index.json');
    const index = json(path);
    index.checkpoints[0].theirs = 'kept';
    writeFileSync(path, JSON.stringify({ ...index, note: 'theirs' }));
    const before = await tree(dir);
    expect((await exporting(dir, 'b2')).code).toBe(0);
    const after = await tree(dir);
    for (const [name, entry] of Object.entries(before))
      if (entry.kind === 'file' && !name.endsWith('web/index.json')) expect(after[name], name).toEqual(entry);
    expect(json(path)).toMatchObject({ note: 'theirs', checkpoints: { length: 3 } });
    expect(json(path).checkpoints[0]).toMatchObject({ theirs: 'kept', referencedBy: ['b1', 'b2'] });
    await arrives(dir, 'b1', 1);
    await arrives(dir, 'b2');
  });

  it('several VMs are in one backup', async () => {
    const dir = fresh();
    const [other, image] = [join(fresh(), 'repo'), join(fresh(), 'image')];
    mkdirSync(other);
    await done(['init', '--repo', other]);
    new Disk(3 * cluster).write(1).save(image);
    await done(['capture', '--repo', other, '--vm', 'shop/db', `data=${image}`, '--format', 'raw']);
    await done(['export', 'shop/db@latest', '--repo', other, '--oadp', dir, '--backup', 'b1']);
    expect((await exporting(dir)).code).toBe(0);
    const { vms } = json(join(dir, 'manifests/b1/index.json'));
    expect(vms.map(({ name }: { name: string }) => name)).toEqual(['db', 'web']);
    expect((await tool(['validate', '--oadp', dir])).code).toBe(0);
    await arrives(dir, 'b1');
  });

  it('what is there already, of another content, damaged or told differently: refused, and the tree is as before', async () => {
    const dir = fresh();
    await exporting(dir, 'b1', `shop/web@${ids[1]}`);
    const index = (at: string) => join(at, 'checkpoints/shop/web/index.json');
    const image = (at: string) => join(vmOf(at), ids[0] as string, `${ids[0]}-root.qcow2`);
    const spoils: [spoil: (at: string) => void, exit: number][] = [
      [(at) => writeFileSync(index(at), '{'), 5],
      [(at) => writeFileSync(index(at), '{"vmName":"web"}'), 5],
      [(at) => writeFileSync(index(at), JSON.stringify({ ...json(index(at)), vmName: 'b' })), 3],
      [
        (at) =>
          writeFileSync(
            index(at),
            JSON.stringify({
              ...json(index(at)),
              checkpoints: [{ ...json(index(at)).checkpoints[0], type: 'incremental' }],
            }),
          ),
        3,
      ],
      [(at) => flip(image(at), 2 * cluster), 5],
      [(at) => rmSync(image(at)), 3],
      [(at) => writeFileSync(join(vmOf(at), ids[1] as string, 'vmb.json'), '{}'), 3],
      [
        (at) => {
          mkdirSync(join(at, 'manifests/b2'));
          writeFileSync(join(at, 'manifests/b2/index.json'), 'x');
        },
        5,
      ],
      [
        (at) => {
          mkdirSync(join(at, 'manifests/b2'));
          writeFileSync(join(at, 'manifests/b2/index.json'), '{"backupName":"b3"}');
        },
        3,
      ],
    ];
    for (const [spoil, exit] of spoils) {
      const at = join(fresh(), 'tree');
      cpSync(dir, at, { recursive: true });
      rmSync(image(at));
      cpSync(image(dir), image(at));
      spoil(at);
      const before = await tree(at);
      expect((await exporting(at, 'b2')).code, String(spoil)).toBe(exit);
      expect(await tree(at), String(spoil)).toEqual(before);
    }
    expect((await exporting(dir, 'b1')).failure).toMatchObject({
      kind: 'refused',
      message: 'the backup b1 has shop/web already',
    });
  });

  it('disks of different chains, a point, no backup, a bad name, no folder, one in the repository', async () => {
    const dir = fresh();
    expect((await exporting(dir, 'b1', `shop/web/root@${ids[0]}`)).code).toBe(2);
    expect((await exporting(dir, '../b1')).code).toBe(2);
    expect((await tool(['export', 'shop/web@latest', '--repo', root, '--oadp', dir])).code).toBe(2);
    expect((await tool(['export', 'shop/web@latest', '--repo', root, '--flat', dir, '--backup', 'b'])).code).toBe(2);
    expect((await exporting(join(dir, 'none'))).code).toBe(3);
    expect((await exporting(join(root, 'vms'))).code).toBe(3);
    const other = join(fresh(), 'repo');
    cpSync(root, other, { recursive: true });
    const image = join(folder, 'root.raw');
    await done(['capture', '--repo', other, '--vm', 'shop/web', `root=${image}`, '--format', 'raw', '--full']);
    disks['log-disk'].write(3);
    const words = Object.entries(disks).map(([name, disk]) => {
      disk.save(join(folder, `${name}.raw`));
      return `${name}=${join(folder, `${name}.raw`)}`;
    });
    await done(['capture', '--repo', other, '--vm', 'shop/web', ...words, '--format', 'raw']);
    const { failure } = await tool(['export', 'shop/web@latest', '--repo', other, '--oadp', dir, '--backup', 'b']);
    expect(failure).toMatchObject({ kind: 'refused', hint: expect.stringContaining('capture --full') });
    expect(readdirSync(dir)).toEqual([]);
  });

  it('only reads the repository; a dry run changes nothing', async () => {
    const before = await tree(root);
    const dir = fresh();
    const { steps, code } = await exporting(dir, 'b1', 'shop/web@latest', '-n');
    expect(code).toBe(0);
    expect(steps.filter((step) => step.startsWith('cp ')).length).toBe(9);
    expect(readdirSync(dir)).toEqual([]);
    const argv = ['export', 'shop/web@latest', '--repo', root, '--oadp', dir, '--backup', 'b1'];
    const traced = await strace(['backup-chain', ...argv], { trace: 'openat,unlink,rename,link,chmod,truncate' });
    expect(traced.code).toBe(0);
    const there = traced.calls.filter((call) => call.includes(`"${root}/`));
    expect(there.length).toBeGreaterThan(8);
    expect(there.filter((call) => !call.startsWith('openat') || /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call))).toEqual(
      [],
    );
    expect(await tree(root)).toEqual(before);
  });
});

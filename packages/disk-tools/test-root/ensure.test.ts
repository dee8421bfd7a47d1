import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { tempFolder } from '../../../e2e/ground/folder.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run, succeed } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';

const tool = [process.execPath, join(import.meta.dirname, '../dist/cli.mjs')];
const ensure = (path: string, ...words: string[]) => run([...tool, 'ensure', path, ...words]);
const uuid = '7c1e40d2-5f0e-4c4e-9d5e-1f7b5a3c9a11';
const features =
  'has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum';

const value = async (tag: string, path: string, ...more: string[]) =>
  (await succeed(['blkid', '-p', ...more, '-o', 'value', '-s', tag, path])).trim();

needs('qemu-img')('ensure', () => {
  it.each(['64M', '10G', '1T'])('makes %s that QEMU and e2fsprogs agree with', async (size) => {
    await using folder = await tempFolder();
    const [path, raw] = [join(folder.path, 'd'), join(folder.path, 'raw')];
    expect(await ensure(path, '--size', size, '--uuid', uuid)).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(folder.path)).toEqual(['d']);
    await succeed(['qemu-img', 'check', '-q', '-f', 'qcow2', path]);
    if (size === '1T') return;
    await succeed(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', path, raw]);
    expect([await value('LABEL', raw), await value('UUID', raw)]).toEqual(['platter-data', uuid]);
    const header = await succeed(['dumpe2fs', '-h', raw]);
    expect(/Filesystem features: *(.*)/.exec(header)?.[1]).toBe(features);
    await succeed(['e2fsck', '-fn', raw]);
  });

  it('makes one partition for those who want it, and a mode', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    await ensure(
      path,
      '--size',
      '64M',
      '--format',
      'raw',
      '--layout',
      'mbr',
      '--label',
      'y-cluster-data',
      '--mode',
      '0640',
    );
    expect(await value('LABEL', path, '-O', String(2 ** 20))).toBe('y-cluster-data');
    await succeed(['e2fsck', '-fn', `${path}?offset=${2 ** 20}`]);
    expect((await tree(folder.path)).d).toMatchObject({ mode: '640', size: 64 * 2 ** 20 });
    expect((await ensure(path, '--format', 'raw', '--label', 'y-cluster-data')).stdout).toMatch(/^kept /);
  });

  it('keeps what is there, byte by byte, and says no to what it is not', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    await ensure(path, '--size', '64M');
    const before = await tree(folder.path);
    expect(await ensure(path, '--size', '64M')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^kept .*nothing to do/),
    });
    expect(await ensure(path, '--size', '128M')).toMatchObject({ code: 0, stderr: expect.stringContaining('grow it') });
    for (const words of [
      ['--label', 'other'],
      ['--fs', 'xfs', '--size', '300M'],
      ['--format', 'raw'],
      ['--uuid', uuid],
    ])
      expect([words, (await ensure(path, ...words)).code]).toEqual([words, 3]);
    expect(await tree(folder.path)).toEqual(before);
  });

  it('never touches what is not a disk of ours', async () => {
    await using folder = await tempFolder();
    const at = (name: string) => join(folder.path, name);
    await succeed(['qemu-img', 'create', '-q', '-f', 'qcow2', at('blank'), '64M']);
    await writeFile(at('text'), 'no disk');
    await mkdir(at('directory'));
    await symlink('nowhere', at('dangling'));
    await succeed(['mkfifo', at('fifo')]);
    const before = await tree(folder.path);
    for (const name of ['blank', 'text', 'directory', 'dangling', 'fifo', 'text/below'])
      expect([name, (await ensure(at(name))).code]).toEqual([name, 3]);
    expect((await ensure(at('blank'))).stderr).toContain('it is blank');
    expect((await ensure(at('missing/d'))).stderr).toContain(`mkdir -p ${at('missing')}`);
    expect(await tree(folder.path)).toEqual(before);
  });

  it.each([
    ['--nonsense'],
    ['--size', '10GB'],
    ['--size', '63M'],
    ['--label', 'a b'],
    ['--label', 'seventeen-letters'],
    ['--mode', '999'],
    ['--layout', 'mbr', '--fs', 'xfs'],
    ['--uuid', 'x'],
  ])('says how it is said: %s %s', async (...words) => {
    await using folder = await tempFolder();
    expect((await ensure(join(folder.path, 'd'), ...words)).code).toBe(2);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('of one path by many at once makes one disk, never half of one', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    const ended = await Promise.all(Array.from({ length: 6 }, () => ensure(path, '--size', '64M')));
    const made = ended.filter(({ stdout }) => stdout.startsWith('created'));
    expect(made.length).toBe(1);
    for (const { code, stdout } of ended) expect(code === 4 || /^(created|kept)/.test(stdout)).toBe(true);
    expect(await readdir(folder.path)).toEqual(['d']);
  });

  it('makes the same bytes by its dry run, pasted into a shell', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    const { stdout } = await ensure(path, '--size', '64M', '--uuid', uuid, '--dry-run');
    expect(await readdir(folder.path)).toEqual([]);
    await succeed(['sh', '-e', '-c', stdout]);
    expect(await readdir(folder.path)).toEqual(['d']);
    expect((await ensure(path, '--uuid', uuid)).stdout).toMatch(/^kept /);
  });
});

/** qemu-io with the image open for writing, until it is told to quit. */
async function writing(path: string): Promise<ChildProcess> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-io', '-f', 'qcow2', path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

needs('qemu-io', 'qemu-img')('a disk that QEMU writes to', () => {
  it('is busy for ensure and verify, and inspect says so', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    await ensure(path, '--size', '64M');
    const child = await writing(path);
    try {
      for (const verb of ['ensure', 'verify']) {
        const { code, stderr } = await run([...tool, verb, path]);
        expect([verb, code, stderr]).toEqual([verb, 4, expect.stringMatching(new RegExp(`pid ${child.pid} qemu-io`))]);
      }
      const { code, stdout } = await run([...tool, 'inspect', '--scan', '-o', 'json', path]);
      const { warnings, census } = JSON.parse(stdout);
      expect([code, census, warnings]).toEqual([
        0,
        undefined,
        [expect.stringContaining('writes to it'), expect.any(String)],
      ]);
    } finally {
      child.stdin?.end('quit\n');
      await once(child, 'exit');
    }
    expect((await ensure(path)).code).toBe(0);
  });
});

needs(
  'root',
  'loop',
  'ext4',
)('a disk that the kernel serves', () => {
  it('is busy while it is attached, and the mount is named', async () => {
    await using folder = await tempFolder();
    const [path, point] = [join(folder.path, 'd'), join(folder.path, 'mnt')];
    await ensure(path, '--size', '64M', '--format', 'raw');
    {
      await using loop = await attach(path);
      const busy = await ensure(path, '--format', 'raw');
      expect([busy.code, busy.stderr]).toEqual([4, expect.stringContaining(`attached as ${loop.device}`)]);
      const device = await run([
        ...tool,
        'verify',
        '--from-format',
        'raw',
        '--fsck',
        '--scratch',
        folder.path,
        loop.device,
      ]);
      expect([device.code, device.stderr]).toEqual([0, '']);
      await mkdir(point);
      await succeed(['mount', loop.device, point]);
      expect((await ensure(path, '--format', 'raw')).stderr).toContain(`mounted at ${point}`);
      const mounted = await run([...tool, 'verify', '--from-format', 'raw', loop.device]);
      expect([mounted.code, mounted.stderr]).toEqual([4, expect.stringContaining('is mounted or held')]);
      expect((await run([...tool, 'inspect', '--from-format', 'raw', loop.device])).code).toBe(0);
      await succeed(['umount', point]);
    }
    expect((await ensure(path, '--format', 'raw')).code).toBe(0);
  });
});

needs('root')('an ordinary user', () => {
  it('can make and keep a disk', async () => {
    await using folder = await tempFolder();
    await chown(folder.path, 65534, 65534);
    const user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--', ...tool];
    const made = await run([...user, 'ensure', 'd', '--size', '64M'], { cwd: folder.path });
    expect([made.code, made.stderr]).toEqual([0, '']);
    await ensure(join(folder.path, 'theirs'), '--size', '64M');
    const denied = await run([...user, 'ensure', 'theirs'], { cwd: folder.path });
    expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining('EACCES')]);
    const kept = await run([...user, 'verify', 'd', '--fsck'], { cwd: folder.path });
    expect([kept.code, kept.stderr]).toEqual([0, '']);
  });
});

needs('root', 'xfs')('ensure of XFS', () => {
  it('on XFS makes what xfs_repair finds sound and an old kernel can mount', async () => {
    await using folder = await mounted('xfs', 600 * 2 ** 20);
    const path = join(folder.path, 'd');
    const { code, stderr } = await ensure(path, '--fs', 'xfs', '--size', '300M', '--format', 'raw', '--uuid', uuid);
    expect([code, stderr]).toEqual([0, '']);
    await succeed(['xfs_repair', '-n', '-f', path]);
    expect(await value('UUID', path)).toBe(uuid);
  });

  it('refuses a filesystem that is too full, and leaves nothing', async () => {
    await using folder = await mounted('xfs', 300 * 2 ** 20);
    await succeed(['fallocate', '-l', '200M', join(folder.path, 'full')]);
    const { code, stderr } = await ensure(join(folder.path, 'd'));
    expect([code, stderr]).toEqual([3, expect.stringContaining('are needed')]);
    expect(await readdir(folder.path)).toEqual(['full']);
  });
});

needs('qemu-img')('verify', () => {
  const verify = (...words: string[]) => run([...tool, 'verify', ...words]);

  it('proves what is asked, and says what is not so', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    await ensure(path, '--size', '64M');
    const before = await tree(folder.path);
    expect((await verify(path, '--label', 'platter-data', '--fs', 'ext4', '--min-size', '64M', '--fsck')).code).toBe(0);
    for (const words of [
      ['--label', 'x'],
      ['--fs', 'xfs'],
      ['--min-size', '65M'],
    ])
      expect([words, (await verify(path, ...words)).code]).toEqual([words, 3]);
    expect((await verify(path, join(folder.path, 'none'))).code).toBe(7);
    expect(await tree(folder.path)).toEqual(before);
  });

  it('takes paths from records', async () => {
    await using folder = await tempFolder();
    const made = await ensure(join(folder.path, 'd'), '--size', '64M', '-o', 'json');
    const { code, stdout } = await run([...tool, 'verify', '-', '-o', 'name'], { stdin: made.stdout });
    expect([code, stdout]).toEqual([0, `${join(folder.path, 'd')}\n`]);
  });

  it('--fsck tells a clean filesystem, a journal to replay and damage apart', async () => {
    await using folder = await tempFolder();
    const make = async (name: string, change?: string) => {
      const path = join(folder.path, name);
      await ensure(path, '--size', '64M', '--format', 'raw');
      if (change !== undefined) await succeed(['debugfs', '-w', '-R', change, path]);
      return path;
    };
    const check = (path: string) => verify('--from-format', 'raw', '--fsck', path);
    expect(await check(await make('clean'))).toMatchObject({ code: 0, stderr: '' });
    expect(await check(await make('unclean', 'feature needs_recovery'))).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('needs recovery'),
    });
    const damaged = await check(await make('damaged', 'clri <2>'));
    expect([damaged.code, damaged.stderr]).toEqual([5, expect.stringContaining('e2fsck finds damaged')]);
    expect((await readdir(folder.path)).sort()).toEqual(['clean', 'damaged', 'unclean']);
  });

  it('--digest is the same for the same content in another format', async () => {
    await using folder = await tempFolder();
    const [path, raw] = [join(folder.path, 'd'), join(folder.path, 'raw')];
    await ensure(path, '--size', '64M');
    await succeed(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', path, raw]);
    const digest = async (...words: string[]) =>
      JSON.parse((await verify(...words, '--digest', '-o', 'json')).stdout).contentSha256;
    expect(await digest(path)).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest(path)).toBe(await digest(raw, '--from-format', 'raw'));
  });

  it('finds a broken refcount, which only the tables tell', async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, 'd');
    await ensure(path, '--size', '64M');
    const bytes = await readFile(path);
    const block = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))));
    bytes.writeUInt16BE(0, block + 2 * 4);
    await writeFile(path, bytes);
    const { code, stderr } = await verify(path);
    expect([code, stderr]).toEqual([5, expect.stringContaining('qemu-img check found')]);
  });
});

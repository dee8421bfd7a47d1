import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../../../e2e/ground/filesystem.ts';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { run } from '../../../e2e/ground/run.ts';
import { tree } from '../../../e2e/ground/tree.ts';
import { TestPool } from './pool.ts';

/** A program that holds something until it is disposed; it has begun when it prints a line. */
async function holding(argv: readonly string[]): Promise<AsyncDisposable> {
  const [program = '', ...words] = argv;
  const child: ChildProcess = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  await Promise.race([once(child.stdout ?? child, 'data'), once(child, 'exit')]);
  return {
    [Symbol.asyncDispose]: async () => {
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** What QEMU does with the disk of a guest: it opens and locks the image, whether the guest writes or not. */
const qemu = (path: string) => [
  'qemu-storage-daemon',
  ...['--blockdev', `driver=file,node-name=disk,filename=${path}`, '--chardev', 'stdio,id=m', '--monitor', 'chardev=m'],
  ...['--nbd-server', `addr.type=unix,addr.path=${path}.sock`, '--export', 'type=nbd,id=e,node-name=disk,writable=on'],
];
/** Maps the file for shared writing and closes it. */
const mapped = (path: string) => [
  'python3',
  '-c',
  `import mmap, os, time
fd = os.open(${JSON.stringify(path)}, os.O_RDWR)
kept = mmap.mmap(fd, 4096)
os.close(fd)
os.closerange(3, 64)
print('mapped', flush=True)
time.sleep(600)`,
];
const written = (path: string) => ['sh', '-c', `exec 7<>${path}; echo open; read -r _`];

for (const filesystem of ['xfs', 'btrfs', 'ext4'] as const)
  needs(
    'root',
    'loop',
    filesystem,
    'qemu-storage-daemon',
  )(`who holds a working copy on ${filesystem}`, () => {
    async function started(folder: string): Promise<TestPool> {
      const pool = await TestPool.at(folder, ...(filesystem === 'ext4' ? ['--allow-copy'] : []));
      await pool.say('create', 'v', '--size', '1M');
      await pool.say('start', 'v');
      await pool.write('v-dirty.img', 0, 'guest');
      return pool;
    }

    /** No verb that would change what somebody writes does anything. */
    async function refuses(pool: TestPool, by: string): Promise<void> {
      const before = await tree(pool.path);
      for (const line of [
        'stop v',
        'stop v --discard --confirm=v',
        'stop v --discard --label l',
        'revert v@1 --discard --confirm=v',
        'import v /dev/null',
        'remove v --confirm=v',
      ]) {
        const said = await pool.try(...line.split(' '));
        if (line.startsWith('revert')) expect(said.code).toBe(3);
        else expect([line, said.code, said.stderr]).toEqual([line, 4, expect.stringContaining(by)]);
      }
      const after = await tree(pool.path);
      expect(after['v-dirty.img']).toEqual(before['v-dirty.img']);
      expect(Object.keys(after).filter((path) => !path.startsWith('.platter/locks'))).toEqual(
        Object.keys(before).filter((path) => !path.startsWith('.platter/locks')),
      );
      expect((await pool.tell('show', 'v'))[0]).toMatchObject({ state: 'running', holders: [expect.any(String)] });
    }

    it('a plain writer, a mapping that outlived its descriptor, and QEMU', async () => {
      await using folder = await mounted(filesystem);
      const pool = await started(folder.path);
      for (const [argv, by] of [
        [written, 'process '],
        [mapped, '(python'],
        [qemu, '(qemu-storage-d'],
      ] as const) {
        await using _holder = await holding(argv(pool.file('v-dirty.img')));
        await refuses(pool, by);
      }
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'committed' });
    });

    it('a loop device, also when the file was renamed since, and also for who may not open it', async () => {
      await using folder = await mounted(filesystem);
      const pool = await started(folder.path);
      await rename(pool.file('v-dirty.img'), pool.file('elsewhere'));
      await using loop = await attach(pool.file('elsewhere'));
      await rename(pool.file('elsewhere'), pool.file('v-dirty.img'));
      await refuses(pool, `loop device ${loop.device}`);
      await run(['chown', '-R', '1000:1000', pool.path]);
      await run(['chmod', '755', folder.path, join(folder.path, '..')]);
      const user = [
        'setpriv',
        '--reuid',
        '1000',
        '--regid',
        '1000',
        '--clear-groups',
        '--',
        'reflink-pool',
        'stop',
        'v',
      ];
      const said = await run(user, { env: pool.env });
      expect([said.code, said.stderr]).toEqual([4, expect.stringMatching(/perhaps loop device \S*loop\d+/)]);
    });

    it('not a loop over another file of the same name', async () => {
      await using folder = await mounted(filesystem);
      const pool = await started(folder.path);
      const other = join(folder.path, 'v-dirty.img');
      await writeFile(other, Buffer.alloc(2 ** 20));
      await using _loop = await attach(other);
      expect((await pool.tell('show', 'v'))[0]).toMatchObject({ holders: [] });
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'committed' });
      expect((await stat(other)).size).toBe(2 ** 20);
    });

    it('nobody who only reads', async () => {
      await using folder = await mounted(filesystem);
      const pool = await started(folder.path);
      await using _reader = await open(pool.file('v-dirty.img'), 'r');
      expect((await pool.tell('stop', 'v'))[0]).toMatchObject({ outcome: 'committed' });
    });
  });

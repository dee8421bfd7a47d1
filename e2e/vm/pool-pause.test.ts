import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mounted } from '../ground/filesystem.ts';
import { needs } from '../ground/needs.ts';
import { root, succeed } from '../ground/run.ts';
import { bootBeside } from './machine.ts';

const script = `
  modprobe virtio_console
  mount /dev/vda /mnt
  exec node ${root}/e2e/vm/writer.ts /mnt /dev/vport*p1`;

/** An image that begins with a filesystem; behind it lie so many mappings that a clone takes its time. */
async function imageAt(path: string): Promise<void> {
  await writeFile(path, '');
  await succeed(['mkfs.ext4', '-q', path, '64M']);
  await using file = await open(path, 'r+');
  const data = Buffer.alloc(4096, 'x');
  for (let block = 0; block < 8192; block += 1) await file.write(data, 0, 4096, 2 ** 26 + block * 8192);
  await file.truncate(2 ** 27);
}

/** The guest's end of a port, see writer.ts: what it says first, and its answers. */
const writerAt = (port: string) => ({
  ready: () => succeed(['sh', '-c', `read -r ready <${port}.out`], { timeout: 600_000 }),
  ask: (line: string) => succeed(['sh', '-c', `echo ${line} >${port}.in; read -r answer <${port}.out; echo $answer`]),
  end: () => succeed(['sh', '-c', `echo end >${port}.in`]),
  hook: `#!/bin/sh\necho $1 >${port}.in && read -r answer <${port}.out && [ "$answer" = done ]\n`,
});

const verbsOn = (path: string) => (verb: string) =>
  succeed(['reflink-pool', ...verb.split(' ')], { env: { PLATTER_POOL: path } });

/** A pool with one volume, started; where its working copy is. */
async function startedIn(folder: string): Promise<string> {
  const verb = verbsOn(join(folder, 'pool'));
  await mkdir(join(folder, 'pool'));
  await imageAt(join(folder, 'image'));
  await verb('init --reserve 0');
  await verb(`import vm/root ${folder}/image --create`);
  return (await verb('start vm/root -o name')).trim();
}

needs(
  'root',
  'vm',
  'xfs',
)('a live snapshot of the disk of a running guest', () => {
  it('keeps no write of the guest waiting longer than the pause it tells and 50 ms: once in five, a busy host makes any wait longer', async () => {
    await using ground = await mounted('xfs');
    const [port, hook] = [join(ground.path, 'port'), join(ground.path, 'hook')];
    const [verb, writer] = [verbsOn(join(ground.path, 'pool')), writerAt(port)];
    await writeFile(hook, writer.hook, { mode: 0o755 });
    const image = await startedIn(ground.path);
    const beyond: number[] = [];
    await bootBeside(script, { image, port }, async () => {
      await writer.ready();
      while (beyond.length < 5 && !beyond.some((ms) => ms <= 50)) {
        await writer.ask('waited');
        const { number, consistency, pauseMs } = JSON.parse(await verb(`snapshot vm/root --hook ${hook} -o json`));
        beyond.push(Number(await writer.ask('waited')) - pauseMs);
        expect(consistency).toBe('frozen');
        await succeed(['sh', '-c', `e2fsck -fn ${image.replace('-dirty', '')}.${number}@*`]);
      }
      await writer.end();
    });
    expect(Math.min(...beyond)).toBeLessThanOrEqual(50);
  }, 700_000);
});

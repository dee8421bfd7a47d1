import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tempFolder } from '../ground/folder.ts';
import { kernel } from '../ground/probe.ts';
import { root, succeed } from '../ground/run.ts';
import { type Power, power } from './power.ts';

/** How a command ended that the guest ran by `step NAME COMMAND...`, and what it printed. */
export interface Step {
  code: number;
  stdout: string;
  stderr: string;
}

const memory = '1024M';
const words = (...groups: string[]): string[] => groups.flatMap((group) => group.split(' '));

/** A virtio filesystem of the guest over a folder of the host. */
async function share(on: Power, tag: string, { path, sockets }: { path: string; sockets: string }): Promise<string[]> {
  const socket = join(sockets, `${tag}.socket`);
  await on.serve(
    ['/usr/lib/qemu/virtiofsd', `--socket-path=${socket}`, '-o', `source=${path}`, '-o', 'sandbox=chroot'],
    socket,
  );
  return words(`-chardev socket,id=${tag},path=${socket} -device vhost-user-fs-pci,chardev=${tag},tag=${tag}`);
}

/** A disk, and where it writes down every write and flush it was asked for. */
export interface Logged {
  image: string;
  log: string;
}

const drive = (about: string): string[] => ['-drive', `if=virtio,${about}`];
const plain = (image: string): string[] => drive(`file=${image},format=raw`);
const logged = ({ image, log }: Logged): string[] =>
  drive(`driver=blklogwrites,file.driver=file,file.filename=${image},log.driver=file,log.filename=${log}`);

/** The words that start a machine over the host's `/`, which runs e2e/vm/session on `folder`/share. */
async function computer(on: Power, folder: string): Promise<string[]> {
  const initrd = (await succeed(kernel, { timeout: 180_000 })).trim();
  const unpacked = dirname(initrd);
  const [image] = (await readdir(join(unpacked, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  const environment = `KERNEL=${unpacked} SHARE=${folder}/share SESSION=${root}/e2e/vm/session`;
  return [
    ...words('qemu-system-x86_64 -M pc -accel tcg -cpu Nehalem -smp 1 -no-reboot -nodefaults -display none'),
    ...words(`-serial file:${folder}/console -kernel ${unpacked}/boot/${image} -initrd ${initrd}`),
    ...['-append', `console=ttyS0 panic=-1 quiet mitigations=off nokaslr ${environment}`],
    ...words(`-m ${memory} -object memory-backend-memfd,id=memory,size=${memory},share=on -numa node,memdev=memory`),
    ...(await share(on, 'host', { path: '/', sockets: folder })),
    ...(await share(on, 'share', { path: join(folder, 'share'), sockets: folder })),
  ];
}

async function prepare(folder: string, script: string): Promise<void> {
  await mkdir(join(folder, 'share'));
  await writeFile(join(folder, 'share/script'), script);
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

async function step(share: string, name: string): Promise<Step> {
  const [code, stdout, stderr] = await Promise.all(
    ['code', 'out', 'err'].map((end) => read(join(share, `${name}.${end}`))),
  );
  return { code: Number(code), stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** What the guest's steps left in the shared folder, by their names. */
async function steps(folder: string): Promise<Record<string, Step>> {
  const share = join(folder, 'share');
  const names = (await readdir(share)).flatMap((name) => /^(.+)\.code$/.exec(name)?.[1] ?? []);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await step(share, name)] as const)));
}

/** All that the machine left to read, for messages. */
const last = async (folder: string): Promise<string> =>
  `${await read(join(folder, 'share/log'))}\n${(await read(join(folder, 'console'))).slice(-2000)}`;

/** Runs a machine to its end. One that hangs tells what it left to read. */
async function machine(on: Power, folder: string, devices: readonly string[]): Promise<void> {
  const argv = [...(await computer(on, folder)), ...devices];
  await on.run(argv).catch(async (cause: Error) => {
    throw new Error(`${await last(folder)}\n${cause.message}`, { cause });
  });
}

/** Runs a script (sh -eu, as root) in a machine with these disks (/dev/vda, ...) to its end, which must be 0. A reboot is a second call. */
export async function boot(script: string, disks: readonly string[] = []): Promise<Record<string, Step>> {
  await using folder = await tempFolder();
  await using on = power();
  await prepare(folder.path, script);
  await machine(on, folder.path, disks.flatMap(plain));
  const code = await read(join(folder.path, 'share/code'));
  if (code !== '0\n') throw new Error(`the script ended with ${code || 'nothing'}:\n${await last(folder.path)}`);
  return steps(folder.path);
}

/** A disk that our work is about, and a port: /dev/vport*p1 there, the pipes `port`.in and `port`.out here. */
export interface Beside {
  image: string;
  port: string;
}

const serial = (port: string): string[] =>
  words(`-device virtio-serial-pci -chardev pipe,id=port,path=${port} -device virtserialport,chardev=port`);

/** Runs a script in a machine to its end, and meanwhile work of ours, which ends it. The disk flushes nothing: it is not for reboots. */
export async function bootBeside(script: string, { image, port }: Beside, work: () => Promise<void>): Promise<void> {
  await using folder = await tempFolder();
  await using on = power();
  await prepare(folder.path, script);
  for (const end of ['in', 'out']) await succeed(['mkfifo', `${port}.${end}`]);
  const disk = drive(`file=${image},format=raw,cache=unsafe`);
  const ended = machine(on, folder.path, [...disk, ...serial(port)]);
  const worked = work().catch(async (cause: Error) => {
    throw new Error(`${await last(folder.path)}\n${cause.message}`, { cause });
  });
  await Promise.all([ended, worked]);
}

/** Runs a script until it calls `cut_power`. The machine is gone then; its disks and their logs are as it had them written. */
export async function bootUntilCut(script: string, disks: readonly Logged[]): Promise<void> {
  await using folder = await tempFolder();
  await using on = power();
  await prepare(folder.path, script);
  for (const { log } of disks) await writeFile(log, '');
  const ended = machine(on, folder.path, disks.flatMap(logged)).then(async () => {
    throw new Error(`the script ended before the power was cut:\n${await last(folder.path)}`);
  });
  await Promise.race([on.appears(join(folder.path, 'share/cut')), ended]);
}

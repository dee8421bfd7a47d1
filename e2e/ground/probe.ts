import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, root } from './run.ts';

const answers = (program: string, ...words: string[]): boolean =>
  spawnSync(program, words, { env: environment(), stdio: 'ignore' }).status === 0;

const writable = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

const words = (path: string): string[] => readFileSync(path, 'utf8').split(/\s+/);

const knows = (filesystem: string): boolean => words('/proc/filesystems').includes(filesystem);

const isRoot = (): boolean => process.getuid?.() === 0;

const canMount = (filesystem: string): boolean =>
  isRoot() &&
  writable('/dev/loop-control') &&
  answers(`mkfs.${filesystem}`, '-V') &&
  (knows(filesystem) || (answers('modprobe', '-q', filesystem) && knows(filesystem)));

const reflinks = (): boolean => {
  const dir = mkdtempSync(join(tmpdir(), 'platter-probe-'));
  try {
    writeFileSync(join(dir, 'a'), 'a');
    return answers('cp', '--reflink=always', '--', join(dir, 'a'), join(dir, 'b'));
  } finally {
    rmSync(dir, { recursive: true });
  }
};

const filesystem = (name: string): [string, () => boolean] => [
  `root, /dev/loop-control, mkfs.${name} -V, ${name} in /proc/filesystems or by modprobe`,
  () => canMount(name),
];

/** The programs that a small virtual machine is made and run by. */
const machine = ['qemu-system-x86_64', '/usr/lib/qemu/virtiofsd', 'kmod', 'cpio'];

/** Prints where the machine's kernel is, fetched when it is not in the cache. */
export const kernel = [
  'env',
  `XDG_CACHE_HOME=${process.env.XDG_CACHE_HOME ?? ''}`,
  join(root, 'e2e/vm/kernel'),
] as const;

const canBoot = (): boolean =>
  isRoot() &&
  machine.every((program) => answers(program, '--version')) &&
  answers('busybox', 'true') &&
  answers(...kernel);

/** What each ground is probed by, in words, and the probe. */
const probes = {
  root: ['user id 0', isRoot],
  loop: ['root, /dev/loop-control to read and write', () => isRoot() && writable('/dev/loop-control')],
  xfs: filesystem('xfs'),
  btrfs: filesystem('btrfs'),
  ext4: filesystem('ext4'),
  reflink: ['cp --reflink=always in the temporary folder', reflinks],
  lvm: ['root, lvm version', () => isRoot() && answers('lvm', 'version')],
  'qemu-img': ['qemu-img --version', () => answers('qemu-img', '--version')],
  'qemu-io': ['qemu-io --version', () => answers('qemu-io', '--version')],
  'qemu-storage-daemon': ['qemu-storage-daemon --version', () => answers('qemu-storage-daemon', '--version')],
  fuse: ['root, /dev/fuse to read and write', () => isRoot() && writable('/dev/fuse')],
  sfdisk: ['sfdisk --version', () => answers('sfdisk', '--version')],
  strace: ['strace -qq on true', () => answers('strace', '-qq', '-o', '/dev/null', 'true')],
  'device-mapper': ['device-mapper in /proc/devices', () => words('/proc/devices').includes('device-mapper')],
  nbd: ['/sys/block/nbd0', () => existsSync('/sys/block/nbd0')],
  vm: [`root, ${machine.join(', ')} --version, busybox, x86-64, a kernel in the cache or by apt-get download`, canBoot],
} satisfies Record<string, [string, () => boolean]>;

export type GroundName = keyof typeof probes;

/** The filesystems a fixture can make and mount. */
export type Filesystem = 'xfs' | 'btrfs' | 'ext4';

const found = new Map<GroundName, boolean>();

/** Looks once in each process; true when the ground is here. */
export function has(name: GroundName): boolean {
  const known = found.get(name) ?? probes[name][1]();
  found.set(name, known);
  return known;
}

/** One sentence for each ground that is not here, saying what was probed. */
export const missing = (names: readonly GroundName[]): string[] =>
  names.filter((name) => !has(name)).map((name) => `no ${name} (probed: ${probes[name][0]})`);

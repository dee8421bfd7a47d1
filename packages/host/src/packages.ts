/** The Debian package that brings a program, for the message that it is missing. */
const packages: Record<string, string> = {
  blkdiscard: 'util-linux',
  blkid: 'util-linux',
  fallocate: 'util-linux',
  findmnt: 'util-linux',
  flock: 'util-linux',
  losetup: 'mount',
  setpriv: 'util-linux',
  prlimit: 'util-linux',
  sfdisk: 'fdisk',
  umount: 'mount',
  fusermount3: 'fuse3',
  chattr: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  filefrag: 'e2fsprogs',
  'mkfs.ext4': 'e2fsprogs',
  resize2fs: 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  xfs_io: 'xfsprogs',
  xfs_repair: 'xfsprogs',
  'mkfs.btrfs': 'btrfs-progs',
  btrfs: 'btrfs-progs',
  lvm: 'lvm2',
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  'qemu-storage-daemon': 'qemu-system-common',
};

/** The package to install for a program; coreutils for what is not listed. */
export function packageOf(program: string): string {
  return packages[program] ?? 'coreutils';
}

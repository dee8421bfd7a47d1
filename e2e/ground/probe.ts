export type GroundName =
  | 'root' | 'loop' | 'xfs' | 'btrfs' | 'ext4' | 'reflink' | 'lvm' | 'qemu-img' | 'qemu-io' | 'qemu-storage-daemon' | 'strace' | 'device-mapper' | 'nbd';

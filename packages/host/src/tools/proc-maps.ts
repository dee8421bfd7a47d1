/** A file that a process has mapped shared and writable. */
export interface SharedMap {
  /** The device of the filesystem's superblock, `major:minor` in decimal. */
  device: string;
  inode: bigint;
}

const line = /^[0-9a-f]+-[0-9a-f]+ .w.s [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+)/gm;

/** Reads /proc/PID/maps: such a mapping outlives the descriptor it was made with. Device numbers there are hexadecimal. */
export function sharedMaps(content: string): SharedMap[] {
  return [...content.matchAll(line)].map(([, major = '', minor = '', inode = '0']) => ({
    device: `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`,
    inode: BigInt(inode),
  }));
}

/** A device number of stat as the kernel and losetup spell it: "maj:min" (gnu_dev_major(3), gnu_dev_minor(3)). */
export function majorMinor(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

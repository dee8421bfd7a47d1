import { majorMinor } from '@platter/host/device';
import type { Host } from '@platter/host/door';
import { list, realpath, text } from '@platter/host/looks';
import { parseMounts } from '@platter/host/tools/mountinfo';

const inSysfs = (host: Host, device: string) => host.query(realpath(`/sys/dev/block/${device}`));

async function mountsOf(host: Host, device: string): Promise<string[]> {
  const whole = await inSysfs(host, device);
  const mounts = parseMounts((await host.query(text('/proc/self/mountinfo'))) ?? '');
  const points = mounts.map(async (mount) => {
    const found = await inSysfs(host, mount.device);
    const part = whole !== null && found !== null && `${found}/`.startsWith(`${whole}/`);
    return part ? [`mounted at ${mount.point}`] : [];
  });
  return (await Promise.all(points)).flat();
}

/** Who keeps a block device busy, as far as can be seen: mounts of it or of its partitions, and devices made of it. */
export async function usersOf(host: Host, rdev: bigint): Promise<string[]> {
  const device = majorMinor(rdev);
  const holders = (await host.query(list(`/sys/dev/block/${device}/holders`))) ?? [];
  return [...(await mountsOf(host, device)), ...holders.map(({ name }) => `held by /dev/${name}`)];
}

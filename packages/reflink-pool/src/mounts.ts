import type { Host } from '@platter/host/door';
import { realpath, text } from '@platter/host/looks';
import { type Mount, parseMounts } from '@platter/host/tools/mountinfo';

const below = (path: string, top: string) => path.startsWith(`${top === '/' ? '' : top}/`);

async function mountsAround(host: Host, pool: string): Promise<{ real: string; mounts: Mount[] }> {
  const [real, content] = await Promise.all([host.query(realpath(pool)), host.query(text('/proc/self/mountinfo'))]);
  return { real: real ?? pool, mounts: parseMounts(content ?? '') };
}

/** The mount points inside a pool's directory, as paths below it: neither links nor renames cross them. */
export async function mountsInside(host: Host, pool: string): Promise<string[]> {
  const { real, mounts } = await mountsAround(host, pool);
  const points = new Set(mounts.map(({ point }) => point).filter((point) => below(point, real)));
  return [...points].map((point) => `${pool}${point.slice(real.length)}`).sort();
}

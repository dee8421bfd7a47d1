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

/** Where else a part of the pool's directory, or all of it, is mounted a second time. */
export async function mountsElsewhere(host: Host, pool: string): Promise<string[]> {
  const { real, mounts } = await mountsAround(host, pool);
  const around = mounts.filter(({ point }) => point === real || below(real, point));
  const own = around.reduce<Mount | null>(
    (best, one) => (one.point.length >= (best?.point.length ?? 0) ? one : best),
    null,
  );
  if (own === null) return [];
  const rest = real.slice(own.point === '/' ? 0 : own.point.length);
  const inside = `${own.root === '/' ? '' : own.root}${rest}` || '/';
  const others = mounts.filter(({ device, root, point }) => {
    const part = root === inside || below(root, inside);
    return device === own.device && part && point !== own.point && !below(point, real);
  });
  return [...new Set(others.map(({ point }) => point))].sort();
}

import { readFile } from 'node:fs/promises';
import { succeed } from './run.ts';

/** proc(5), mountinfo: space, tab, newline and backslash are written as three octal digits. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Mount points at and below a folder, of our mount namespace, the last mounted first. */
export async function mountsIn(dir: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter(Boolean);
  const points = lines.map((line) => unescaped(line.split(' ')[4] as string));
  return points.filter((point) => point === dir || point.startsWith(`${dir}/`)).reverse();
}

/** Unmounts all that is mounted in a folder. */
export async function unmountIn(dir: string): Promise<void> {
  for (const point of await mountsIn(dir)) await succeed(['umount', '--', point]);
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface Entry {
  kind: 'file' | 'folder' | 'link' | 'other';
  /** Permission bits in octal. */
  mode: string;
  size: number;
  ino: number;
  /** SHA-256 of a file's bytes in hex; where a link points; empty for the rest. */
  content: string;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function entry(path: string): Promise<Entry> {
  const found = await lstat(path);
  const common = { mode: (found.mode & 0o7777).toString(8), ino: found.ino };
  if (found.isFile()) return { kind: 'file', ...common, size: found.size, content: await sha256(path) };
  if (found.isSymbolicLink()) return { kind: 'link', ...common, size: found.size, content: await readlink(path) };
  return { kind: found.isDirectory() ? 'folder' : 'other', ...common, size: 0, content: '' };
}

/** Everything below a folder by relative path, in order, to compare before and after. Follows no link; reads every byte. */
export async function tree(dir: string): Promise<Record<string, Entry>> {
  const paths = (await readdir(dir, { recursive: true })).sort();
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [path, await entry(join(dir, path))] as const)),
  );
}

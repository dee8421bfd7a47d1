import { basename } from 'node:path';
import type { Entry, Host } from '@platter/host/door';
import { bytes, list, stat } from '@platter/host/looks';
import { type Consumer, readers } from './consumer.ts';
import { missing, notPlain, under } from './place.ts';

/** A file that the consumer reads already; `path` as seen below the root. */
export interface Installed {
  path: string;
  content: Uint8Array;
}

interface Walk {
  host: Host;
  root: string;
  consumer: Consumer;
}

/** The files that a consumer reads from its folder below the root; none when it has no folder there. */
export async function installed(host: Host, root: string, consumer: Consumer): Promise<Installed[]> {
  const { folder, reads } = readers[consumer];
  if (folder === null) return [];
  if (root !== '/' && (await missing(host, root, folder)).length > 0) return [];
  const files = await walk({ host, root, consumer }, folder, 0);
  const skipped = new Set(files.filter((path) => path.endsWith('.skip')).map((path) => basename(path, '.skip')));
  const found: Installed[] = [];
  for (const path of files) {
    if (!reads(basename(path)) || skipped.has(basename(path))) continue;
    const content = await host.query(bytes(under(root, path)));
    if (content !== null) found.push({ path, content });
  }
  return found;
}

/** The plain files in the folder; k3s also walks its subfolders, and links to folders on the first level only. */
async function walk(scene: Walk, folder: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  for (const entry of (await scene.host.query(list(under(scene.root, folder)))) ?? []) {
    const path = `${folder}/${entry.name}`;
    const kind = await kindOf(scene, path, entry);
    if (kind === 'file') found.push(path);
    if (kind === 'dir' && readers[scene.consumer].recursive && (entry.kind === 'dir' || depth === 0))
      found.push(...(await walk(scene, path, depth + 1)));
  }
  return found;
}

/** What an entry is to its reader: on the live node links are followed, as consumers do; in an image they are refused. */
async function kindOf({ host, root }: Walk, path: string, { kind }: Entry): Promise<Entry['kind'] | undefined> {
  if (kind !== 'link') return kind;
  if (root !== '/') throw notPlain(under(root, path), kind, 'file');
  return (await host.query(stat(path)))?.kind;
}

import { create, pour, remove, truncate } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import type { Held } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import type { Piece } from '@platter/host/pour';
import { type Found, filesystemsOn } from './filesystems.ts';
import { check, isChecked } from './fsck.ts';
import type { CheckedFilesystem } from './manifest-kinds.ts';
import { scratchNames } from './scratch.ts';
import { hasBytes, longestRun, type Range, type Stack, spans } from './stack.ts';

/** A disk as a file in a scratch folder, which checkers may write. */
export interface Examined {
  folder: string;
  file: string;
  /** The chain that the disk shows: where it has data, and where nothing has to be copied. */
  stack: Stack;
  workers: number;
}

const batchBytes = 64 * 1024 * 1024;

interface Copy {
  from: Held;
  to: Held;
  stack: Stack;
  workers: number;
}

/** Copies what a range of the disk holds to the beginning of another file. */
async function copyRange(host: Host, { from, to, stack, workers }: Copy, range: Range): Promise<void> {
  let [batch, bytes]: [Piece[], number] = [[], 0];
  for await (const span of spans(stack, range, longestRun)) {
    if (!hasBytes(span)) continue;
    const { at, length } = span;
    batch.push({ from: { held: from, at }, at: at - range.at, length, sha256: null });
    bytes += length;
    if (bytes < batchBytes) continue;
    await host.change(pour(to, batch, workers));
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) await host.change(pour(to, batch, workers));
}

/** Gives `work` a filesystem in a file of its own, sparse, and takes the file away. */
async function apart<T>(
  host: Host,
  { disk, found }: { disk: Examined; found: Found },
  work: (file: string) => Promise<T>,
): Promise<T> {
  const { folder, stack, workers } = disk;
  const path = `${folder}/${scratchNames.partition}`;
  await host.change(create(path, '', 0o600));
  await host.change(truncate(path, found.length));
  const [from, to] = [await host.query(hold(`${folder}/${disk.file}`)), await host.query(hold(path, { write: true }))];
  try {
    await copyRange(host, { from, to, stack, workers }, { at: found.offset, length: found.length });
    return await work(scratchNames.partition);
  } finally {
    from.close();
    to.close();
    await host.change(remove(path));
  }
}

async function checked(host: Host, disk: Examined, found: Found): Promise<CheckedFilesystem> {
  const { offset, type } = found;
  const { folder, file } = disk;
  const verdict =
    offset > 0 && isChecked(type)
      ? await apart(host, { disk, found }, (own) => check(host, type, { folder, file: own }))
      : await check(host, type, { folder, file });
  return { offset, type, ...verdict };
}

/** Looks for filesystems on a disk, whole or in its partitions, and lets their checkers look at each. */
export async function examine(host: Host, disk: Examined): Promise<CheckedFilesystem[]> {
  const found = await filesystemsOn(host, `${disk.folder}/${disk.file}`, disk.stack.virtualSize);
  const all: CheckedFilesystem[] = [];
  for (const one of found) all.push(await checked(host, disk, one));
  return all;
}

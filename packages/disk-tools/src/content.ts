import type { ByteSource } from '@platter/qcow2/source';
import { type Filesystem, readFilesystems } from './filesystem.ts';
import { type Partition, readTable } from './partition.ts';

/** What a guest would see. */
export interface Content {
  layout: 'whole' | 'mbr' | 'gpt' | 'none';
  partitions: Partition[];
  filesystems: Filesystem[];
  /** Whether its first and last MiB are all zero. */
  blank: boolean;
}

const edge = 1024 ** 2;

/** Reads the partition table, what lies in each place, and the ends of a disk where nothing does. */
export async function readContent(bytes: ByteSource): Promise<Content> {
  if (bytes.size === 0) return { layout: 'none', partitions: [], filesystems: [], blank: true };
  const table = await readTable(bytes);
  const filesystems = await readFilesystems(bytes, table);
  const layout = table.kind === 'none' && filesystems.length > 0 ? 'whole' : table.kind;
  return { layout, partitions: table.partitions, filesystems, blank: filesystems.length === 0 && (await blank(bytes)) };
}

async function blank(bytes: ByteSource): Promise<boolean> {
  const length = Math.min(edge, bytes.size);
  const ends = [await bytes.read(0, length), await bytes.read(bytes.size - length, length)];
  return ends.every((end) => end.every((byte) => byte === 0));
}

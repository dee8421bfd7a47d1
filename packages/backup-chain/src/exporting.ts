import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { space } from '@platter/host/looks';
import { formatSize } from '@platter/units/size';

/** Where an export goes. */
export interface ExportWish {
  /** A real path outside the repository. */
  goal: string;
  workers: number;
}

/** What was made: its files, and the bytes of the images among them. */
export interface Exported {
  path: string;
  files: string[];
  bytes: number;
}

/** 3 unless so many bytes fit into a folder. */
export async function refuseFull(host: Host, folder: string, needed: number): Promise<void> {
  const { free } = await host.query(space(folder));
  if (free >= needed) return;
  throw new Failure('refused', `will not export to ${folder}: the filesystem is too full`, {
    details: { needed: formatSize(needed), free: formatSize(free) },
  });
}

/** The record of an export. */
export const exportRecord = (name: string, form: 'flat' | 'chain' | 'oadp', exported: Exported) => ({
  apiVersion: 'platter.dev/v1' as const,
  kind: 'BackupExport' as const,
  metadata: { name },
  form,
  ...exported,
});

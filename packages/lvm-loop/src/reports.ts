import type { Output, Program } from '@platter/host/door';
import { Failure } from '@platter/host/failure';

export interface Pv {
  name: string;
  uuid: string;
  /** Empty: in no VG. */
  vgName: string;
  vgUuid: string;
  devSize: number;
  size: number;
  peStart: number;
  missing: boolean;
  extents: number;
  allocated: number;
  mdas: number;
  usedMdas: number;
}

export interface Vg {
  name: string;
  uuid: string;
  tags: string[];
  extentSize: number;
  extents: number;
  free: number;
  pvs: number;
  missing: number;
  lvs: number;
  seqno: number;
  /** Shared, clustered, exported or with a system ID: not for this host alone. */
  claimed: string[];
}

export interface Lv {
  name: string;
  uuid: string;
  size: number;
  active: boolean;
  /** False without device-mapper: then nobody knows what is active or open. */
  told: boolean;
  /** LVM's own, such as a pool's metadata. */
  hidden: boolean;
  /** Left out by `vgchange -ay`, as snapshots are. */
  skipped: boolean;
  open: boolean;
  type: string;
  pool: string;
  dataPercent: string | null;
  metadataPercent: string | null;
  tags: string[];
}

export const pvColumns =
  'pv_name,pv_uuid,vg_name,vg_uuid,dev_size,pv_size,pe_start,pv_missing,pv_pe_count,pv_pe_alloc_count,pv_mda_count,pv_mda_used_count';
export const vgColumns =
  'vg_name,vg_uuid,vg_attr,vg_tags,vg_extent_size,vg_extent_count,vg_free_count,pv_count,vg_missing_pv_count,lv_count,vg_seqno,vg_shared,vg_exported,vg_clustered,vg_systemid';
export const lvColumns =
  'lv_name,lv_uuid,lv_size,lv_attr,lv_active,lv_device_open,segtype,pool_lv,data_percent,metadata_percent,lv_tags';

type Row = Record<string, string>;

/** The rows of one kind in a report of LVM; what is no report of a command that ended well is "could not tell". */
export function rowsOf(kind: string, program: Program, output: Output): Row[] {
  const said = (output.report || output.stderr).trim().slice(0, 240);
  const unknown = (cause?: unknown) =>
    new Failure('failed', `could not tell what LVM sees: ${program.args[0]} gave no report`, {
      details: { said },
      cause,
    });
  if (output.code !== 0) throw unknown();
  try {
    const { report } = JSON.parse(output.report) as { report: Record<string, Row[] | undefined>[] };
    return report.flatMap((part) => part[kind] ?? []);
  } catch (cause) {
    throw unknown(cause);
  }
}

/** Numbers of a report; a column that LVM did not fill is 0. */
const number = (row: Row, column: string) => Number(row[column] ?? 0);
const words = (row: Row, column: string) => (row[column] ?? '').split(',').filter(Boolean);
const text = (row: Row, column: string) => row[column] ?? '';

export const pvOf = (row: Row): Pv => ({
  name: text(row, 'pv_name'),
  uuid: text(row, 'pv_uuid'),
  vgName: text(row, 'vg_name'),
  vgUuid: text(row, 'vg_uuid'),
  devSize: number(row, 'dev_size'),
  size: number(row, 'pv_size'),
  peStart: number(row, 'pe_start'),
  missing: text(row, 'pv_missing') !== '',
  extents: number(row, 'pv_pe_count'),
  allocated: number(row, 'pv_pe_alloc_count'),
  mdas: number(row, 'pv_mda_count'),
  usedMdas: number(row, 'pv_mda_used_count'),
});

export const vgOf = (row: Row): Vg => ({
  name: text(row, 'vg_name'),
  uuid: text(row, 'vg_uuid'),
  tags: words(row, 'vg_tags'),
  extentSize: number(row, 'vg_extent_size'),
  extents: number(row, 'vg_extent_count'),
  free: number(row, 'vg_free_count'),
  pvs: number(row, 'pv_count'),
  missing: number(row, 'vg_missing_pv_count'),
  lvs: number(row, 'lv_count'),
  seqno: number(row, 'vg_seqno'),
  claimed: ['vg_shared', 'vg_exported', 'vg_clustered', 'vg_systemid'].flatMap((column) =>
    text(row, column) === '' ? [] : [`${column.slice(3)} ${text(row, column)}`],
  ),
});

export const lvOf = (row: Row): Lv => ({
  name: text(row, 'lv_name').replace(/^\[(.*)\]$/, '$1'),
  hidden: text(row, 'lv_name').startsWith('['),
  skipped: text(row, 'lv_attr')[9] === 'k',
  uuid: text(row, 'lv_uuid'),
  size: number(row, 'lv_size'),
  active: text(row, 'lv_active') === 'active',
  told: text(row, 'lv_active') !== 'unknown',
  open: text(row, 'lv_device_open') === 'open',
  type: text(row, 'segtype'),
  pool: text(row, 'pool_lv').replace(/^\[(.*)\]$/, '$1'),
  dataPercent: row.data_percent || null,
  metadataPercent: row.metadata_percent || null,
  tags: words(row, 'lv_tags'),
});

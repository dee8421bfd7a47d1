import type { ExportRecord } from '../records/copy.ts';
import { columns } from './columns.ts';

export const exportText = ({ id, volume, number, expiresAt, path }: ExportRecord): string =>
  columns(id, `${volume}@${number ?? 'head'}`, path, expiresAt !== null && `until ${expiresAt}`);

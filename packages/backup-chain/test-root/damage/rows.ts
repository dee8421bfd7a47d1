import { files } from './files.ts';
import { manifests } from './manifests.ts';
import type { Damage } from './row.ts';
import { headers } from './tables.ts';

/** The corruption matrix (spec 6), by its rows. */
export const damages: readonly Damage[] = [...files, ...manifests, ...headers].sort((a, b) => a.row - b.row);

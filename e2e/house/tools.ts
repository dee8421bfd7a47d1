import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../ground/run.ts';

/** What the house reads of a package.json. */
export interface Manifest {
  name: string;
  bin?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const folders = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);

/** The packages by the names of their folders. */
export const manifests: Record<string, Manifest> = Object.fromEntries(
  folders.map((folder) => [folder, JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))]),
);

/** The packages that have an executable. */
export const tools = folders.filter((folder) => manifests[folder]?.bin !== undefined);

/** A tool's built entry. */
export const entry = (tool: string): string => join(root, 'packages', tool, 'dist/cli.mjs');

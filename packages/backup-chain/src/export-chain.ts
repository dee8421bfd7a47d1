import { hash } from 'node:crypto';
import { dirname } from 'node:path';
import type { Call } from '@platter/command/call';
import { create, rename, sync } from '@platter/host/changes';
import { shellLine } from '@platter/units/shell';
import { beside } from './beside.ts';
import { Copier, provenCopy, provenList } from './copying.ts';
import { type Exported, type ExportWish, refuseFull } from './exporting.ts';
import { pointName } from './layout.ts';
import { manifestText } from './manifest.ts';
import type { Point } from './manifest-kinds.ts';
import { portableScript } from './script.ts';
import type { Source } from './sources.ts';
import type { Link } from './stack.ts';

/** A chain that is exported: its files, open, and its points. */
export interface ChainSource {
  source: Source;
  points: readonly Point[];
}

/** Names of files with their SHA-256; a dry run, which makes none, knows only the names. */
type Sums = Map<string, string>;

const unknown = '';

interface Making {
  folder: string;
  workers: number;
}

/** Copies the data files and digest lists of a chain, and proves the copies. */
async function copyFiles(
  call: Call<unknown>,
  { source, points }: ChainSource,
  { folder, workers }: Making,
): Promise<Sums> {
  const { host } = call;
  const copier = new Copier(host, () => refuseFull(host, folder, sizeOf(points)));
  const progress = call.progress(`export ${source.name}`, sizeOf(points));
  const sums: Sums = new Map();
  for (const [n, { data, digests }] of points.entries()) {
    const link = source.stack.links[n] as Link;
    const before = sizeOf(points.slice(0, n));
    const [list, to] = [`${dirname(link.name)}/${digests.file}`, `${folder}/${data.file}`];
    await copier.copy(link.name, to);
    await copier.copy(list, `${folder}/${digests.file}`);
    const report = (done: number) => progress.update(before + done);
    sums.set(data.file, host.dry ? unknown : await provenCopy(host, [link, to], { workers, report }));
    const copies = [list, `${folder}/${digests.file}`] as const;
    sums.set(digests.file, host.dry ? unknown : await provenList(host, copies, digests.sha256));
  }
  progress.end();
  return sums;
}

const sizeOf = (points: readonly Point[]): number => points.reduce((sum, { data }) => sum + data.size, 0);

/** What is written beside the copies: manifests, and the script that restores. */
function documentsOf({ source, points }: ChainSource): { name: string; text: string; mode: number }[] {
  const script = portableScript(
    source,
    points.map(({ data }) => data.file),
  );
  return [
    ...points.map((one) => ({ name: pointName(one.sequence, one.id), text: manifestText(one), mode: 0o444 })),
    { name: 'restore.sh', text: `${script.join('\n')}\n`, mode: 0o755 },
  ];
}

/** The sums as sha256sum(1) prints them. */
const sumsText = (sums: Sums): string => [...sums].map(([name, sha256]) => `${sha256}  ${name}\n`).join('');

/** What a dry run shows of the sums, which it cannot know. */
const sumsLine = (folder: string, sums: Sums): string =>
  `(${shellLine(['cd', folder])} && ${shellLine(['sha256sum', '--', ...sums.keys()])})`;

async function fill(call: Call<unknown>, chain: ChainSource, at: Making): Promise<Sums> {
  const { folder } = at;
  const sums = await copyFiles(call, chain, at);
  for (const { name, text, mode } of documentsOf(chain)) {
    await call.host.change(create(`${folder}/${name}`, text, mode));
    sums.set(name, hash('sha256', text));
  }
  const shell = sumsLine(folder, sums);
  await call.host.change({ ...create(`${folder}/SHA256SUMS`, sumsText(sums), 0o444), shell });
  await call.host.change(sync(folder));
  return sums;
}

/** Copies the files of a chain, with all that restores them without this program. Renaming the folder is the commit. */
export async function exportChain(
  call: Call<{ wait: number }>,
  chain: ChainSource,
  { goal, workers }: ExportWish,
): Promise<Exported> {
  return beside(call, { goal, mode: 0o755 }, async (folder) => {
    const sums = await fill(call, chain, { folder, workers });
    await call.host.change(rename(folder, goal));
    await call.host.change(sync(dirname(goal)));
    const files = [...sums.keys(), 'SHA256SUMS'].map((name) => `${goal}/${name}`);
    return { path: goal, files, bytes: sizeOf(chain.points) };
  });
}

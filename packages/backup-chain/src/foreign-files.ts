import { basename } from 'node:path';
import type { Host } from '@platter/host/door';
import type { Finding } from './finding.ts';
import { chainsOf, disksIn, type ForeignFile, filesOf, type History } from './foreign.ts';
import { openForeign } from './loose.ts';
import type { Point } from './manifest-kinds.ts';
import type { Link } from './stack.ts';

/** The files of one chain of a disk, opened and judged. */
export interface OpenedChain {
  disk: string;
  files: (ForeignFile & { moment: number })[];
  /** Those that could be opened. */
  links: Link[];
  findings: Finding[];
}

interface Rules {
  ignoreBacking: boolean;
  /** The point that the first file of a disk stands on. */
  after: (disk: string) => Point | null;
}

/** Opens the images of a history chain by chain, and judges each on its own; nothing they name is opened. */
export async function openHistory(
  host: Host,
  history: History,
  { ignoreBacking, after }: Rules,
): Promise<OpenedChain[]> {
  const opened: OpenedChain[] = [];
  for (const disk of disksIn(history))
    for (const files of chainsOf(filesOf(history, disk))) {
      const below = files[0]?.type === 'full' ? null : after(disk);
      const onto = below === null ? {} : { onto: basename(below.capture.source.path) };
      const paths = files.map(({ path }) => path);
      const wish = { files: paths, ignoreBacking, ...onto, noFollow: history.folder !== null };
      const { links, findings } = await openForeign(host, wish);
      opened.push({ disk, files, links, findings });
    }
  return opened;
}

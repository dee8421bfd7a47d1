import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mounted } from '../ground/filesystem.ts';
import { tempFolder } from '../ground/folder.ts';
import { has } from '../ground/probe.ts';
import { Stage } from './stage.ts';
import { story } from './story.ts';

/** Plays the story in a folder of its own, all of it when root may make loops and XFS; gives the stage for its table. */
export async function play(tell: (text: string) => void, interrupt?: AbortSignal): Promise<Stage> {
  const root = has('loop') && has('xfs');
  const reflink = root || has('reflink');
  await using folder = root ? await mounted('xfs', 2 ** 31) : await tempFolder();
  const stage = new Stage(join(folder.path, 'demo'), tell, interrupt);
  await mkdir(join(stage.folder, 'pool'), { recursive: true });
  await story(stage, { root, reflink });
  return stage;
}

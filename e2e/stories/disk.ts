import { join } from 'node:path';
import { root } from '../ground/run.ts';
import type { Stage } from './stage.ts';

/** Access to the files of the filesystem on an image: mounted as root, else through debugfs. */
export interface FileAccess {
  /** Copies a folder's files, or the named one, to the filesystem's root. */
  put(image: string, folder: string, name?: string): Promise<void>;
  /** Compares the filesystem's files with a folder's; any difference throws. */
  compare(image: string, folder: string): Promise<void>;
}

export function mounting(stage: Stage): FileAccess {
  const at = async (options: string, image: string, work: string) => {
    await stage.sh(`mount -o ${options} ${image} mnt && ${work}; umount mnt`);
  };
  return {
    put: (image, folder, name = '.') => at('loop', image, `cp -r ${folder}/${name} mnt/`),
    compare: async (image, folder) => {
      const loop = image.startsWith('/dev/') ? 'ro' : 'ro,loop';
      await stage.sh(`mount -o ${loop} ${image} mnt`);
      await stage.sh(`diff -r --exclude=lost+found ${folder} mnt && echo every file is equal; umount mnt`, {
        says: /every file is equal/,
      });
    },
  };
}

export function debugging(stage: Stage): FileAccess {
  const written = 'sed "s,.*,rm &\\nwrite {}/& &,"';
  return {
    put: async (image, folder, name = '') => {
      const script = `ls ${folder} | grep '${name}' | ${written.replace('{}', folder)} | debugfs -w -f - ${image} >/dev/null 2>&1`;
      await stage.sh(script);
    },
    compare: async (image, folder) => {
      await stage.sh(`rm -rf out && mkdir out && debugfs -R 'rdump / out' ${image} >/dev/null 2>&1`);
      await stage.sh(`diff -r --exclude=lost+found ${folder} out && echo every file is equal`, {
        says: /every file is equal/,
      });
    },
  };
}

/** Real files: what Platter was built from, and the executable of Node cut into pieces of 1 MiB. */
export async function makeFiles(stage: Stage, pieces: number): Promise<void> {
  const node = join(root, 'bin/node');
  await stage.quietly('mkdir -p files mnt');
  await stage.quietly(`head -c ${pieces}M ${node} | split -b 1M -a 3 - files/node.`);
  await stage.quietly(`cp ${join(root, 'CONTRIBUTING.md')} ${join(root, 'pnpm-lock.yaml')} files/`);
}

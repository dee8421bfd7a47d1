import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { succeed } from '../../ground/run.ts';
import type { CrashCase, Disturbance } from '../case.ts';

const manifest = (value: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: userdb, namespace: appliance}
data: {value: ${value}}
`;
const [old, wanted] = [manifest('old'), manifest('wanted')];
const folders = ['manifests-staging', 'manifests-first-boot'];
const at = (dir: string, folder: string) => join(dir, 'var/lib/y-cluster', folder);

/** Every visible file of both folders with its content; dotfiles are counted apart, for no consumer reads them. */
async function visible(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const folder of folders)
    for (const file of await readdir(at(dir, folder)).catch(() => []))
      if (!file.startsWith('.')) found[`${folder}/${file}`] = await readFile(join(at(dir, folder), file), 'utf8');
  return found;
}

async function dotfiles(dir: string): Promise<string[]> {
  const all = await Promise.all(folders.map((folder) => readdir(at(dir, folder)).catch(() => [])));
  return all.flat().filter((file) => file.startsWith('.'));
}

/** What a case's folder may hold: before the verb, and after. */
interface States {
  before: Record<string, string>;
  after: Record<string, string>;
}

const whole = 'Both folders hold the old state or the new one, whole, and the name is in one mode only';
const hidden = 'A temporary stays only when we were killed or could not remove it, and no consumer reads its name';
const swept = 'After the next run the new state is there, and no temporary';

function invariants({ before, after }: States): Pick<CrashCase, 'keeps' | 'interrupted' | 'settled'> {
  return {
    keeps: [whole, hidden, swept],
    async interrupted(dir: string, { fault, n }: Disturbance) {
      const found = await visible(dir);
      expect(found).toBeOneOf([before, after]);
      const left = await dotfiles(dir);
      const unremovable = fault !== 'int' && isDeepStrictEqual(found, after);
      if (fault !== 'kill' && !unremovable) expect(left, `${fault}@${n}`).toEqual([]);
      for (const file of left) expect(file).toMatch(/^\.x\.yaml\.\d+-[0-9a-f]+\.tmp$/);
    },
    async settled(dir: string) {
      expect(await visible(dir)).toEqual(after);
      expect(await dotfiles(dir)).toEqual([]);
    },
  };
}

const staged = (content: string, folder = 'manifests-staging') => ({ [`${folder}/x.yaml`]: content });
const tool = (dir: string, ...words: string[]) => ['manifest-stager', ...words, '--root', dir];

async function input(dir: string): Promise<void> {
  await writeFile(join(dir, 'wanted.yaml'), wanted);
}

async function beginWith(dir: string, content: string, ...flags: string[]): Promise<void> {
  await input(dir);
  await writeFile(join(dir, 'old.yaml'), content);
  await succeed(tool(dir, 'add', 'x', join(dir, 'old.yaml'), ...flags));
}

export const cases: readonly CrashCase[] = [
  {
    name: 'manifest-stager add',
    needs: [],
    async prepare(dir) {
      await input(dir);
      await mkdir(join(dir, 'var/lib'), { recursive: true });
    },
    command: (dir) => tool(dir, 'add', 'x', join(dir, 'wanted.yaml')),
    ...invariants({ before: {}, after: staged(wanted) }),
  },
  {
    name: 'manifest-stager add (first boot, other manifests there)',
    needs: ['ext4'],
    async prepare(dir) {
      await input(dir);
      await mkdir(at(dir, 'manifests-staging'), { recursive: true });
      await writeFile(join(at(dir, 'manifests-staging'), 'y.yaml'), old.replace('userdb', 'other'));
    },
    command: (dir) => tool(dir, 'add', 'x', join(dir, 'wanted.yaml'), '--first-boot'),
    ...invariants({
      before: { 'manifests-staging/y.yaml': old.replace('userdb', 'other') },
      after: { 'manifests-staging/y.yaml': old.replace('userdb', 'other'), ...staged(wanted, 'manifests-first-boot') },
    }),
  },
  {
    name: 'manifest-stager replace',
    needs: [],
    prepare: (dir) => beginWith(dir, old),
    command: (dir) => tool(dir, 'replace', 'x', join(dir, 'wanted.yaml')),
    ...invariants({ before: staged(old), after: staged(wanted) }),
  },
  {
    name: 'manifest-stager replace (first boot)',
    needs: ['ext4'],
    prepare: (dir) => beginWith(dir, old, '--first-boot'),
    command: (dir) => tool(dir, 'replace', 'x', join(dir, 'wanted.yaml')),
    ...invariants({ before: staged(old, 'manifests-first-boot'), after: staged(wanted, 'manifests-first-boot') }),
  },
  {
    name: 'manifest-stager rm',
    needs: [],
    prepare: (dir) => beginWith(dir, old),
    command: (dir) => tool(dir, 'rm', 'x'),
    accepts: [0, 3],
    ...invariants({ before: staged(old), after: {} }),
  },
];

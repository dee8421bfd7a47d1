import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dataFile, type Fixture, newest } from '../repository.ts';
import type { Damage } from './row.ts';

/** How long a program may take that has a moment's work, in ms. */
const patience = 5000;

/** How a qemu-img run ended, as a shell tells it. */
function code(...words: string[]): string {
  const { status, signal, error } = spawnSync('qemu-img', words, { stdio: 'ignore', timeout: patience });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') return 'hangs';
  return signal === 'SIGSEGV' ? '139' : String(status);
}

const rebase = (copy: string, onto: string): string =>
  code('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', onto, copy);

/** The layers, copied and each given its parent as the recipe says; the newest, and how that ended. */
function prepared(f: Fixture, { loose, parent = (n) => n - 1 }: Damage, scratch: string): [leaf: string, rc: string] {
  const layers = loose?.layers ?? [0, 1, 2, 3];
  const copyOf = (n: number): string => join(scratch, `${layers[n]}.qcow2`);
  for (const [n, layer] of layers.entries()) {
    copyFileSync(dataFile(f, layer), copyOf(n));
    chmodSync(copyOf(n), 0o644);
  }
  const codes = layers.slice(1).map((_, n) => rebase(copyOf(n + 1), copyOf(parent(n + 1))));
  return [copyOf(layers.length - 1), codes.find((one) => one !== '0') ?? '0'];
}

function converted(f: Fixture, damage: Damage, scratch: string): string {
  const [leaf, rc] = damage.inPlace ? [dataFile(f, 3), '0'] : prepared(f, damage, scratch);
  if (rc !== '0') return rc;
  const goal = join(scratch, 'goal');
  const ended = code('convert', '-f', 'qcow2', '-O', 'raw', leaf, goal);
  return ended === '0' && !readFileSync(goal).equals(newest()) ? '0!' : ended;
}

/** What `qemu-img info` and `check` say of the damaged file, and what `convert` makes of the chain. */
export function qemuSays(f: Fixture, damage: Damage, folder: string): string {
  const scratch = join(folder, 'scratch');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  const path = damage.blames(f);
  const one = (...words: string[]): string => (existsSync(path) ? code(...words, '-f', 'qcow2', path) : '-');
  return [one('info'), one('check'), converted(f, damage, scratch)].join('/');
}

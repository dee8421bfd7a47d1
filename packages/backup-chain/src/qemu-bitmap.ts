import type { Host, Program } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { clusterSize } from './layout.ts';

const words = (action: readonly string[], path: string, name: string): Program =>
  run('qemu-img', ['bitmap', ...action, '-f', 'qcow2', path, name], { timeout: 300_000 });

/** Changes the bitmaps of an image that our own parsers have judged; busy while QEMU has it open. */
async function change(host: Host, program: Program, path: string): Promise<void> {
  const output = await host.change(program);
  if (/lock/.test(output.stderr)) throw new Failure('busy', `${path} was opened by QEMU meanwhile`);
  must(program, output);
}

/** Begins to mark what is written to an image from now on, in clusters of 64 KiB. */
export const addBitmap = (host: Host, path: string, name: string): Promise<void> =>
  change(host, words(['--add', '-g', String(clusterSize)], path, name), path);

/** Takes a bitmap away that is there. */
export const removeBitmap = (host: Host, path: string, name: string): Promise<void> =>
  change(host, words(['--remove'], path, name), path);

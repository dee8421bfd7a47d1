import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { bytes, stat } from '@platter/host/looks';
import { MiB } from '@platter/units/size';
import { called } from './place.ts';

const most = 16 * MiB;

/** A manifest as it came in; `file` is what to call it in messages. */
export interface Input {
  file: string;
  content: Uint8Array;
}

/** Reads a file, or stdin for `-`, whole: 16 MiB at most. URLs are refused: fetching is another program's job. */
export async function readInput(call: Call<unknown>, word: string): Promise<Input> {
  if (word === '-') return { file: 'stdin', content: await drained(call) };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(word))
    throw usage(`${word} is a URL, not a path`, `curl -fsSL ${word} | manifest-stager ... -`);
  const path = resolve(call.cwd, word);
  const found = await call.host.query(stat(path));
  if (found === null) throw usage(`there is no file ${word}`, 'give a path, or - for stdin');
  if (found.kind !== 'file' && found.kind !== 'fifo')
    throw usage(`${word} is ${called(found.kind)}, not a file`, 'give a file, or - for stdin');
  if (found.size > most) throw tooLarge(word);
  const content = await call.host.query(bytes(path));
  if (content === null) throw usage(`${word} went away while it was read`, 'run it again');
  if (content.length > most) throw tooLarge(word);
  return { file: word, content };
}

async function drained(call: Call<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of call.stream()) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > most) throw tooLarge('stdin');
  }
  return Buffer.concat(chunks);
}

const usage = (message: string, hint: string) => new Failure('usage', message, { hint });
const tooLarge = (file: string) => usage(`${file} is larger than 16 MiB`, 'split it into several manifests');

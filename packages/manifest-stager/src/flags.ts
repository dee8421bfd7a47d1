import { choice, given, optional } from '@platter/command/flag';
import { Invalid } from '@platter/units/invalid';
import { checkAbsolute } from '@platter/units/path';
import { consumers } from './consumer.ts';

/** Where the manifests are; of every verb. */
export const placeFlags = {
  root: given({ value: 'DIR', parse: parseRoot, default: '/', help: 'the root of a mounted image' }),
  dir: given({
    value: 'DIR',
    parse: checkAbsolute,
    default: '/var/lib/y-cluster',
    env: 'PLATTER_MANIFESTS',
    help: 'the folder of the staging folders, below the root',
  }),
};

/** Whose rules content has to keep. */
export const consumerFlag = {
  consumer: given({ ...choice(...consumers), default: 'k3s', help: 'who will read the file' }),
};

/** Compare and swap. */
export const ifShaFlag = {
  'if-sha': optional({ value: 'HEX', parse: parseSha, help: 'only while the staged content has this SHA-256' }),
};

/** An empty word is most likely a variable nobody set, and must not mean the current directory. */
function parseRoot(word: string): string {
  if (word !== '' && !word.includes('\0')) return word;
  throw new Invalid('the root is empty');
}

function parseSha(word: string): string {
  if (/^[0-9a-f]{64}$/i.test(word)) return word.toLowerCase();
  throw new Invalid(`"${word}" is not a SHA-256: 64 hexadecimal digits`);
}

import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { choice, on, optional, size, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Invalid } from '@platter/units/invalid';
import { checkSize } from '../create.ts';
import { importFile } from '../import.ts';
import { abort, begin, commitImport } from '../import-session.ts';
import { checkVolume } from '../name.ts';
import { lockFlags, openPool, type Pool } from '../pool.ts';
import type { ImportRecord } from '../records/cycle.ts';
import { importText } from '../shown/cycle.ts';

const token = { ...text, value: 'TOKEN' };
const flags = {
  create: on('the volume may be new'),
  size: optional({ ...size, help: 'how long the image must be' }),
  sha256: optional({ value: 'HEX', parse: checkDigest, help: 'the digest the image must have' }),
  format: optional({ ...choice('raw'), help: 'take a container file for raw bytes' }),
  share: on('share extents also with a file that space was reserved for'),
  copy: on('copy all bytes'),
  live: on('also a file that is in use: as after a power cut'),
  begin: on('open an import that another program writes; prints where'),
  commit: optional({ ...token, help: 'end an open import: what was written is the head' }),
  abort: optional({ ...token, help: 'give an open import up' }),
  ...lockFlags,
};

export default verb({
  about: 'Make a raw image the head of a volume: by reflink where possible, else by copy; - is stdin.',
  words: [{ name: 'VOL' }, { name: 'FILE|-', optional: true }],
  flags,
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool import dev/root debian.raw --create', 'a new volume with the bytes of debian.raw'],
    ['zcat debian.raw.gz | reflink-pool import dev/root - --sha256 HEX', 'from stdin, checked'],
    ['reflink-pool import dev/root --begin --size 20G -o name', 'prints the file to write; --commit ends it'],
  ],
  run: async (call) => {
    const [word = '', file] = call.words;
    const name = checkVolume(word);
    checkFlags(call.flags, file);
    const record = await perform(call, await openPool(call), { name, file: file ?? '' });
    await call.emit(record, { text: importText(record), name: record.outcome === 'open' ? String(record.path) : name });
  },
});

type Flags = Parameters<Parameters<typeof verb<typeof flags>>[0]['run']>[0]['flags'];

function perform(call: Call<Flags>, pool: Pool, { name, file }: { name: string; file: string }): Promise<ImportRecord> {
  const { create, share, copy, live, format, size, sha256, commit } = call.flags;
  const wish = { create, share, copy, live, raw: format === 'raw', size: size ?? null, sha256: sha256 ?? null };
  if (call.flags.begin) return begin(pool, name, { create, size: size ?? 0 });
  if (commit !== undefined) return commitImport(pool, name, { ...wish, token: commit });
  if (call.flags.abort !== undefined) return abort(pool, name, call.flags.abort);
  return importFile(pool, { name, file: file === '-' ? '-' : resolve(call.cwd, file) }, wish);
}

/** The ways to import, and the flags each of them reads. */
const ways = {
  FILE: ['create', 'size', 'sha256', 'format', 'share', 'copy', 'live'],
  '-': ['create', 'size', 'sha256', 'format'],
  '--begin': ['create', 'size'],
  '--commit': ['sha256', 'format'],
  '--abort': [],
} as const;

function checkFlags(flags: Flags, file: string | undefined): void {
  const { share, copy, live, begin: opens, size } = flags;
  if (share && copy) throw new Invalid('--share and --copy exclude each other');
  if (live && copy) throw new Invalid('--live and --copy exclude each other');
  const way = wayOf(flags, file);
  const stray = ways.FILE.find((name) => given(flags[name]) && !(ways[way] as readonly string[]).includes(name));
  if (stray !== undefined) throw new Invalid(`--${stray} does not go with ${way}`);
  if (opens && size === undefined) throw new Invalid('--begin needs --size');
  if (size !== undefined) checkSize(size);
}

const given = (value: unknown) => value !== undefined && value !== false;

function wayOf({ begin: opens, commit, abort: ends }: Flags, file: string | undefined): keyof typeof ways {
  const said = { FILE: file !== undefined && file !== '-', '-': file === '-', '--begin': opens };
  const more = { ...said, '--commit': commit !== undefined, '--abort': ends !== undefined };
  const [way, other] = (Object.keys(more) as (keyof typeof ways)[]).filter((one) => more[one]);
  if (way !== undefined && other === undefined) return way;
  throw new Invalid('say one of FILE, -, --begin, --commit TOKEN and --abort TOKEN');
}

function checkDigest(word: string): string {
  if (/^[0-9a-f]{64}$/i.test(word)) return word.toLowerCase();
  throw new Invalid(`"${word}" is not a SHA-256 digest: 64 hexadecimal digits`);
}

import { resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { on, optional } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { parseDuration } from '@platter/units/duration';
import { Invalid } from '@platter/units/invalid';
import { end, openFor } from '../export.ts';
import { lockFlags, openPool } from '../pool.ts';
import type { ExportRecord } from '../records/copy.ts';
import { parseReference } from '../reference.ts';
import { exportText } from '../shown/copy.ts';

const day = 86_400_000;
const flags = {
  expires: optional({ value: 'DURATION|never', parse: parseExpiry, help: 'how long it is kept; 24h unless given' }),
  'allow-copy': on('copy all bytes where extents cannot be shared'),
  end: optional({ value: 'ID', parse: checkId, help: 'end an export; again is no harm' }),
  ...lockFlags,
};
type Flags = Parameters<Parameters<typeof verb<typeof flags>>[0]['run']>[0]['flags'];

export default verb({
  about: 'Keep a committed state under a path for others to read, or write it to a file of its own.',
  words: [
    { name: 'VOL[@REF]', optional: true },
    { name: 'DEST', optional: true },
  ],
  flags,
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['qemu-img info "$(reflink-pool export dev/root -o name)"', 'a path that stays what it is for 24 hours'],
    ['reflink-pool export dev/root@3 /mnt/usb/root.img --allow-copy', 'a file of its own on another filesystem'],
    ['reflink-pool export --end 9f31c07be2aa', 'nobody reads it any more'],
  ],
  run: async (call) => {
    const record = await perform(call);
    const name = call.flags.end ?? record.path ?? '';
    await call.emit(record, { text: exportText(record), name });
  },
});

async function perform(call: Call<Flags>): Promise<ExportRecord> {
  const [word, dest] = call.words;
  const { expires, end: id, 'allow-copy': allowCopy } = call.flags;
  if ((word === undefined) === (id === undefined)) throw new Invalid('say one of VOL and --end ID');
  if (id !== undefined) return end(await openPool(call), id);
  if (dest === '-') throw new Invalid('an export is a file: say its path, not -');
  if (dest !== undefined && expires !== undefined)
    throw new Invalid('a file that is written stays: leave out --expires');
  const reference = parseReference(word ?? '');
  const pool = await openPool(call);
  if (dest === undefined)
    return openFor(pool, reference, { expires: expires === undefined ? day : expires, allowCopy });
  return (await import('../export-file.ts')).exportTo(pool, reference, { dest: resolve(call.cwd, dest), allowCopy });
}

/** Milliseconds; null is never. */
function parseExpiry(word: string): number | null {
  return word === 'never' ? null : parseDuration(word);
}

function checkId(word: string): string {
  if (/^[0-9a-f]{12}$/.test(word)) return word;
  throw new Invalid(`"${word}" is not an export: 12 hexadecimal digits, as reflink-pool list --exports shows them`);
}

import { duration, optional, size } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { type Finding, refuse } from '../finding.ts';
import { clusterSize } from '../layout.ts';
import { openRepository, restoreLoose } from '../repository.ts';
import { common, rootOf } from '../root.ts';
import { scrub } from '../scrub.ts';
import { tellScrub } from '../scrub-telling.ts';
import { addresses } from '../telling.ts';

export default verb({
  about: 'Read data files again and compare them with their digests, the least recently checked first.',
  words: [{ name: 'ADDR', optional: true, many: true }],
  flags: {
    rate: optional({ ...size, help: 'bytes a second at most; at least 64K' }),
    for: optional({ ...duration, help: 'begin no further file after this time' }),
    bytes: optional({ ...size, help: 'begin no further file after so many bytes' }),
    'older-than': optional({ ...duration, help: 'leave out files that were sound less long ago' }),
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain scrub --rate 100M --for 1h', 'reads for an hour what was not read for the longest time'],
    ['backup-chain scrub --older-than 30d', 'reads what was not found sound within 30 days'],
    ['backup-chain scrub shop/web@latest', 'reads all that the newest set needs'],
  ],
  run: async (call) => {
    const { flags } = call;
    if (flags.rate !== undefined && flags.rate < clusterSize)
      throw new Failure('usage', '--rate: a chunk of 64 KiB is read at once', { hint: '--rate 64K, or more' });
    const repo = await openRepository(call.host, rootOf(call));
    const [rate, time, bytes] = [flags.rate ?? null, flags.for ?? null, flags.bytes ?? null];
    const limits = { rate, time, bytes, olderThan: flags['older-than'] ?? null, workers: flags.workers };
    const findings: Finding[] = [];
    const unread: Failure[] = [];
    for await (const one of scrub(call, { ...limits, repo, names: await addresses(call) })) {
      await tellScrub(call, one);
      findings.push(...one.damage.map(({ finding }) => finding));
      if (one.unread !== null) unread.push(one.unread);
    }
    refuse(findings, 'damage was found', restoreLoose);
    if (unread[0] !== undefined) throw unread[0];
  },
});

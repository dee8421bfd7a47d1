import { choice, given, on, optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { crew } from '@platter/host/crew';
import { Failure } from '@platter/host/failure';
import { refuse } from '../finding.ts';
import { openRepository, restoreLoose } from '../repository.ts';
import { looseFlags, repoFlag, rootOf, waitFlag, workersFlag } from '../root.ts';
import { addresses, looseWish } from '../telling.ts';
import type { Validated } from '../validating.ts';
import { validateAll } from '../validating-all.ts';
import { validateLoose } from '../validating-files.ts';
import { validateTree } from '../validating-oadp.ts';
import { validationRecord, validationText } from '../validation.ts';

export default verb({
  about: 'Check chains: their manifests, their tables and what they compose to, or every byte.',
  words: [{ name: 'ADDR', optional: true, many: true }],
  flags: {
    level: given({ ...choice('meta', 'fast', 'deep'), default: 'fast', help: 'manifests, tables too, or every byte' }),
    oracle: on('also restore each by ourselves and by QEMU, in TMPDIR, and compare'),
    ...looseFlags,
    oadp: optional({ ...text, value: 'DIR', help: 'everything import would check of this tree; no repository' }),
    ...repoFlag,
    ...workersFlag,
    ...waitFlag,
  },
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain validate --repo /backup', 'checks the whole repository without reading data'],
    ['backup-chain validate shop/web@latest --level deep', 'reads every byte of the newest set'],
    ['backup-chain validate --files full.qcow2 inc1.qcow2', 'checks loose files, each on its own'],
  ],
  run: async (call) => {
    const { level, workers, oracle, files, oadp } = call.flags;
    if (oracle && level === 'meta') throw new Failure('usage', '--oracle needs --level fast or deep');
    if (level === 'deep') crew.ready(workers);
    const all: Validated[] = [];
    const say = async (one: Validated, named: boolean) => {
      all.push(one);
      await call.emit(validationRecord(one, level), { text: validationText(one, named), name: one.name });
    };
    if (files) await say(await validateLoose(call, looseWish(call), { level, workers, oracle }), false);
    else if (oadp !== undefined)
      for await (const one of validateTree(call, oadp, { level, workers, oracle })) await say(one, true);
    else {
      const repo = await openRepository(call.host, rootOf(call));
      for await (const one of validateAll(call, { repo, names: await addresses(call), level, workers, oracle }))
        await say(one, true);
    }
    refuse(
      all.flatMap(({ findings }) => findings),
      'damage was found',
      files || oadp !== undefined ? undefined : restoreLoose,
    );
  },
});

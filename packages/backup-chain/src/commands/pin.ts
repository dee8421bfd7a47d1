import { optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { enter } from '../entering.ts';
import { parsePinName, pin, unpin } from '../pin.ts';
import { parseUntil, pinsAfter, pinWish } from '../pin-wish.ts';
import { openRepository } from '../repository.ts';
import { resolveSet } from '../resolving.ts';
import { repoFlag, rootOf, waitFlag } from '../root.ts';
import { setAddress } from '../telling.ts';
import { pinsOn, setRecord } from '../view.ts';

export default verb({
  about: 'Keep a set from being pruned, for ever or until a moment; or let it go again.',
  words: [{ name: 'SET' }],
  flags: {
    name: optional({ value: 'NAME', parse: parsePinName, help: 'who needs it, or what for; one file each' }),
    until: optional({ value: 'INSTANT|DURATION', parse: parseUntil, help: 'when the pin ends; never unless given' }),
    reason: optional({ ...text, help: 'kept with the pin' }),
    remove: optional({ value: 'NAME', parse: parsePinName, help: 'take this pin off' }),
    ...repoFlag,
    ...waitFlag,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain pin default/db@latest --name release-7', 'keeps the newest set for ever'],
    ['backup-chain pin default/db@20260112 --name audit --until 90d', 'keeps a set for ninety days from now'],
    ['backup-chain pin default/db@20260112 --remove audit', 'takes the pin off; prune decides again'],
  ],
  run: async (call) => {
    const [word] = call.words as [string];
    const wish = pinWish(call.flags, call.now());
    const repo = await openRepository(call.host, rootOf(call));
    const place = await resolveSet(call.host, repo, word);
    await enter(call, repo, { ...place.facts, wait: call.flags.wait });
    const { facts, set } = await resolveSet(call.host, repo, word);
    const isNew =
      'remove' in wish
        ? await unpin(call, facts, { set: set.id, name: wish.remove })
        : await pin(call, facts, { set: set.id, wish });
    const name = setAddress(set);
    const pins = pinsAfter(pinsOn(facts, set.id), wish);
    const said = pins.length > 0 ? `pinned ${pins.join(', ')}` : 'not pinned';
    await call.emit(setRecord(set, pins), { text: `${name}  ${said}${isNew ? '' : ', as before'}`, name });
  },
});

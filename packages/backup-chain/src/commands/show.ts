import { every } from '@platter/command/every';
import { verb } from '@platter/command/verb';
import { openRepository } from '../repository.ts';
import { resolve } from '../resolving.ts';
import { repoFlag, rootOf } from '../root.ts';
import { show } from '../showing.ts';
import { addresses } from '../telling.ts';

export default verb({
  about: 'Show a point and its chain, or the points of a set.',
  words: [{ name: 'ADDR', many: true }],
  flags: { ...repoFlag },
  exits: [0, 2, 3, 5, 6, 7],
  examples: [
    ['backup-chain show shop/web/data@latest', 'shows the chain of the newest point'],
    ['backup-chain show shop/web@20260112T020000Z-7f3a', 'shows every disk of a set'],
    ['backup-chain list -o json | backup-chain show - -o json', 'shows all sets as records'],
  ],
  run: async (call) => {
    const repo = await openRepository(call.host, rootOf(call));
    const names = await addresses(call);
    await every(call, { names }, async (name) => show(call, await resolve(call.host, repo, name)));
  },
});

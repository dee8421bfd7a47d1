import { verb } from '@platter/command/verb';
import { init } from '../init.ts';
import { repoFlag, rootOf } from '../root.ts';

export default verb({
  about: 'Make a repository of an empty directory.',
  words: [],
  flags: { ...repoFlag },
  mutates: true,
  exits: [0, 1, 2, 3, 5, 6],
  examples: [
    ['backup-chain init --repo /backup', 'makes a repository in /backup'],
    ['PLATTER_REPO=/backup backup-chain init', 'the same'],
    ['backup-chain init --repo /backup -n', 'shows what it would do'],
  ],
  run: async (call) => {
    const root = rootOf(call);
    const { repo, made } = await init(call, root);
    const record = {
      metadata: { name: root },
      format: 'backup-chain/1',
      id: repo.id,
      outcome: made ? 'created' : 'exists',
    };
    const text = `${root}  backup-chain/1  ${repo.id}${made ? '' : '  was there already'}`;
    await call.emit({ apiVersion: 'platter.dev/v1', kind: 'Repository', ...record }, { text, name: root });
  },
});

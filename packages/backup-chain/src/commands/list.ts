import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { parsePlace } from '../address.ts';
import { listAll } from '../listing.ts';
import { openRepository } from '../repository.ts';
import { repoFlag, rootOf } from '../root.ts';

export default verb({
  about: 'List the sets of a repository, or its points.',
  words: [{ name: 'NS/VM[/DISK]', optional: true }],
  flags: {
    points: on('list points instead of sets'),
    all: on('also points that no set names any more'),
    ...repoFlag,
  },
  exits: [0, 2, 3, 5, 6, 7],
  examples: [
    ['backup-chain list --repo /backup', 'lists all sets'],
    ['backup-chain list shop/web --points', 'lists the points of one VM'],
    ['backup-chain list shop/web/data --points --all -o json', 'lists all points of a disk as records'],
  ],
  run: async (call) => {
    const { points, all } = call.flags;
    const [word] = call.words;
    const place = word === undefined ? null : reading('NS/VM[/DISK]', () => parsePlace(word));
    const repo = await openRepository(call.host, rootOf(call));
    const broken = await listAll(call, repo, { place, points, all });
    if (broken > 0)
      throw new Failure('partial', `${broken} manifests cannot be read`, { hint: 'backup-chain validate' });
  },
});

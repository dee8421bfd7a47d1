import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { consumerFlag, ifShaFlag, placeFlags } from '../flags.ts';

export default verb({
  about: 'Put other content under a name that must be staged. A reader sees the old bytes or the new ones.',
  words: [{ name: 'NAME' }, { name: 'PATH|-' }],
  flags: {
    ...placeFlags,
    ...consumerFlag,
    ...ifShaFlag,
    'first-boot': on('insist that the name is staged for first boot'),
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 6],
  examples: [
    ['manifest-stager replace dashboards ./dashboards.yaml', 'puts the new content in place'],
    [
      'manifest-stager replace dashboards new.yaml --if-sha "$seen"',
      'only if nobody changed it since it was looked at',
    ],
    ['sed s/a/b/ x.yaml | manifest-stager replace x -', 'takes the content from a pipe'],
  ],
  run: async (call) => (await import('../stage.ts')).stage(call, 'replace'),
});

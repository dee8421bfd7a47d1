import { on } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { consumerFlag, placeFlags } from '../flags.ts';

export default verb({
  about: 'Stage a manifest under a name that must be new. The same bytes under the name are left as they are.',
  words: [{ name: 'NAME' }, { name: 'PATH|-' }],
  flags: {
    ...placeFlags,
    ...consumerFlag,
    'first-boot': on('run it once for each data disk, not at every boot'),
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 6],
  examples: [
    ['manifest-stager add dashboards ./dashboards.yaml', 'stages a file for every boot of this node'],
    ['kustomize build . | manifest-stager add migrate-0-6 - --first-boot', 'stages what a pipe brings, for first boot'],
    ['manifest-stager add report report.yaml --root /mnt/image -n', 'shows what it would do to a mounted image'],
  ],
  run: async (call) => (await import('../stage.ts')).stage(call, 'add'),
});

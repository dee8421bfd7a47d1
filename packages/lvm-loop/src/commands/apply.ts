import { every } from '@platter/command/every';
import { choice, given, on, optional, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { applyGroup } from '../apply.ts';
import { isElsewhere, specsOf } from '../asked.ts';
import { common, noActivate } from '../flags.ts';
import { skip, tell } from '../report.ts';
import { open } from '../session.ts';
import { parseExtent, parseFile, parseReserve } from '../spec.ts';

export default verb({
  about: 'Make a volume group of files, or bring it closer to what is wanted: attach, add files, grow, activate.',
  words: [{ name: 'GROUP', optional: true }],
  flags: {
    file: several({ value: 'NAME=SIZE[@DIR]', parse: parseFile, help: 'a file of the group' }),
    spec: optional({
      ...text,
      value: 'FILE',
      short: 'f',
      help: 'read groups from YAML or JSON, a directory, or - for stdin',
    }),
    vg: optional({ ...text, value: 'NAME', help: "the VG's name, when it is not the group's" }),
    'extent-size': optional({ value: 'SIZE', parse: parseExtent, help: 'bytes of an extent (4Mi)' }),
    'sector-size': optional({ ...choice('512', '4096'), help: 'logical sector of the loops (512)' }),
    sparse: on('allocate no blocks: writes may fail when the filesystem is full'),
    'direct-io': optional({ ...choice('auto', 'off'), help: 'past the page cache, or never (auto)' }),
    reserve: given({ value: 'SHARE[,LEAST]', parse: parseReserve, default: '15%,1Gi', help: 'what must stay free' }),
    'no-activate': noActivate,
    ...common,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['lvm-loop apply vm-scratch --file d0=20Gi --file d1=20Gi', 'makes a group of two files, or finds it as it is'],
    ['lvm-loop apply ci --file d0=1Gi@/var/tmp/ci --sparse --dir /var/tmp/ci', 'makes one that takes no space yet'],
    ['lvm-loop list -o json | lvm-loop apply -f -', 'attaches every group as it is and changes nothing else'],
  ],
  run: async (call) => {
    const specs = await specsOf(call);
    const session = await open(call);
    await every(call, { names: specs.map(({ name }) => name), alike: true }, async (name) => {
      const spec = specs.find((one) => one.name === name);
      if (spec === undefined) return;
      if (isElsewhere(spec, call)) return skip(call, spec);
      const result = await applyGroup(session, spec);
      await tell(session, name, result);
      if (result.failure !== null) throw result.failure;
    });
  },
});

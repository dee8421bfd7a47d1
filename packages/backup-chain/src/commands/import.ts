import { every } from '@platter/command/every';
import { instant, on, optional, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { refuse } from '../finding.ts';
import { importHistory } from '../import.ts';
import { ImportTeller } from '../import-telling.ts';
import { importsOf } from '../import-wish.ts';
import { common, rootOf } from '../root.ts';
import { vmAddress } from '../telling.ts';

export default verb({
  about: 'Import qcow2 chains that somebody else captured: files, what KubeVirt pushed, or an OADP tree.',
  words: [{ name: 'DISK=FILE', optional: true, many: true }],
  flags: {
    vm: optional({ ...text, value: '[NS/]VM', help: 'whose disks they are' }),
    oadp: optional({ ...text, value: 'DIR', help: 'a tree of the OADP data mover' }),
    backup: optional({ ...text, value: 'B', help: 'only what this backup of the tree needs' }),
    kubevirt: optional({ ...text, value: 'DIR', help: 'what one backup of KubeVirt pushed' }),
    disks: optional({ ...text, value: 'A,B', help: 'only these disks' }),
    full: on('start a new chain on disks that have points'),
    after: optional({ ...text, value: 'ID', help: 'the files are increments onto this point, the latest' }),
    'ignore-backing': on('put up with other backing names in increments; they are never opened'),
    at: optional({ ...instant, help: 'when the files were captured' }),
    uid: several({ ...text, value: 'DISK=UID', help: 'the identity of a new disk; random unless given' }),
    label: several({ ...text, value: 'K=V', help: 'kept with points and sets' }),
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['backup-chain import --oadp /mnt/bsl/velero-kubevirt-datamover --vm shop/web', 'imports all checkpoints of a VM'],
    ['backup-chain import --kubevirt /mnt/push --vm shop/web', 'imports what KubeVirt pushed'],
    ['backup-chain import --vm db data=full.qcow2 data=inc1.qcow2', 'imports loose files, oldest first'],
  ],
  run: async (call) => {
    const imports = await importsOf(call, rootOf(call));
    const names = imports.map(({ history }) => vmAddress(history.place));
    await every(call, { names, alike: true }, async (name) => {
      const wish = imports[names.indexOf(name)] as (typeof imports)[number];
      refuse(wish.findings, `${name} cannot be imported`);
      await new ImportTeller(call, wish.history).during((tell) => importHistory(call, wish, tell));
    });
  },
});

import { optional, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { formatSize } from '@platter/units/size';
import { exported } from '../export.ts';
import { common } from '../root.ts';

export default verb({
  about:
    'Export a point as one image, its chain with all that restores it, or a set for OADP; only reads the repository.',
  words: [{ name: 'ADDR' }],
  flags: {
    flat: optional({ ...text, value: 'FILE', help: 'a new qcow2 image that stands alone' }),
    chain: optional({ ...text, value: 'DIR', help: 'a new folder with the files, their sums and a script' }),
    oadp: optional({ ...text, value: 'DIR', help: 'a tree of OADP backups, into which a set goes' }),
    backup: optional({ ...text, value: 'NAME', help: 'the backup of the tree that names the set' }),
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain export shop/web/data@latest --flat data.qcow2', 'makes one image of the newest point'],
    ['backup-chain export shop/web/data@latest --chain /mnt/usb/data', 'copies the chain with sums and restore.sh'],
    ['backup-chain export shop/web@latest --oadp /mnt/bsl/tree --backup weekly-7', 'adds a set to a tree of OADP'],
  ],
  run: async (call) => {
    const record = await exported(call, call.words[0] as string);
    const { metadata, form, path, bytes } = record;
    const line = `${metadata.name}  ${form} to ${path}  ${formatSize(bytes)}`;
    await call.emit(record, { text: line, name: metadata.name });
  },
});

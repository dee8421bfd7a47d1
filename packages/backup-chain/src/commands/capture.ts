import { choice, given, instant, integer, on, optional, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { type Captured, capture } from '../capture.ts';
import { common, rootOf } from '../root.ts';
import { pointAddress, pointLine, setAddress } from '../telling.ts';
import { pointRecord, setRecord } from '../view.ts';
import { againstLists, wishOf } from '../wishing.ts';

const recordOf = ({ point, outcome, links, bytesRead, engineReason }: Captured) => ({
  ...pointRecord(point, { outcome, links, hidden: false, dependents: 0, restoreBytes: point.virtualSize }),
  bytesRead,
  engineReason,
});

const lineOf = ({ point, outcome }: Captured): string =>
  outcome === 'created' ? `  ${pointLine(point)}` : `  ${point.disk.name}  unchanged since ${point.id}`;

export default verb({
  about: 'Capture disks of a VM: each a full or what changed since its last point, and a set of all.',
  words: [{ name: 'DISK=SOURCE', many: true }],
  flags: {
    vm: optional({ ...text, value: '[NS/]VM', help: 'whose disks they are' }),
    engine: given({
      ...choice('auto', 'diff', 'fiemap', 'bitmap', 'qmp'),
      default: 'auto',
      help: 'how changes are found',
    }),
    full: on('start a new chain'),
    against: several({ ...text, value: 'DISK=OLD', help: 'the older revision that was captured last, still on disk' }),
    format: optional({ ...choice('raw', 'qcow2'), help: 'what the sources are; qcow2 is recognised' }),
    uid: several({ ...text, value: 'DISK=UID', help: 'the identity of a new disk; random unless given' }),
    consistency: optional({
      ...choice('offline', 'frozen', 'crash'),
      help: 'the state of the guest; offline, with --qmp crash, unless given',
    }),
    qmp: optional({ ...text, value: 'SOCK', help: 'a QMP socket of a running QEMU: SOURCE is a node or device of it' }),
    'max-chain': given({ ...integer, default: '128', help: 'links after which a full is made' }),
    verify: on('read the whole source again and compare'),
    at: optional({ ...instant, help: 'when the sources were as they are; now unless given' }),
    label: several({ ...text, value: 'K=V', help: 'kept with points and set' }),
    attach: several({ ...text, value: 'NAME=FILE', help: 'a file of at most 1 MiB kept with the set' }),
    ...common,
  },
  mutates: true,
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['backup-chain capture --vm db data=/pool/db.img --format raw', 'captures one raw disk'],
    ['reflink-pool diff db/data@19 db/data@20 -o json | backup-chain capture - --vm db', 'reads only what changed'],
    ['backup-chain capture --vm shop/web root=r.qcow2 data=d.qcow2 --full', 'starts a new chain of both disks'],
  ],
  run: async (call) => {
    const wish = await againstLists(call.host, await wishOf(call, rootOf(call)), call.flags.against);
    const { set, captured } = await capture(call, wish, async (one) => {
      const name = pointAddress(one.point);
      await call.emit(recordOf(one), one.outcome === 'created' ? { name } : {});
    });
    if (set === null) return;
    const name = setAddress(set);
    await call.emit(setRecord(set), { text: [`${name}  set of ${captured.length}`, ...captured.map(lineOf)], name });
  },
});

import { on, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { Failure } from '@platter/host/failure';
import { parseSize } from '@platter/units/size';
import { checkSize } from '../create.ts';
import { checkVolume } from '../name.ts';
import { lockFlags, openPool } from '../pool.ts';
import { type Resized, resize } from '../resize.ts';
import { resizeText } from '../shown/copy.ts';

export default verb({
  about: 'Make a disk larger, also while it is started; smaller only when it is stopped.',
  words: [{ name: 'VOL' }, { name: 'SIZE' }],
  flags: {
    'allow-shrink': on('cut off what lies beyond; the state before stays as a revision'),
    confirm: several({ ...text, value: 'VOL', help: 'the volume that may be made smaller' }),
    ...lockFlags,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6, 7],
  examples: [
    ['reflink-pool resize dev/root 40G', 'a guest on a loop device sees it at once'],
    ['reflink-pool resize dev/root 10G --allow-shrink --confirm=dev/root', 'a stopped one, and undone by revert'],
    ['reflink-pool resize dev/root 40G -n', 'prints what would be done'],
  ],
  run: async (call) => {
    const [word = '', bytes = ''] = call.words;
    const { 'allow-shrink': allowShrink, confirm } = call.flags;
    const [name, size] = [checkVolume(word), checkSize(parseSize(bytes))];
    const resized = await resize(await openPool(call), name, { size, allowShrink, confirmed: confirm.includes(name) });
    await call.emit(resized.record, { text: resizeText(resized.record), name });
    refuseBehind(resized);
  },
});

/** The file has its size; a device that does not show it must be told where its node is. */
function refuseBehind({ record, behind }: Resized): void {
  if (behind.length === 0) return;
  throw new Failure('partial', `${record.volume} has its size, but not every loop device over it shows it`, {
    details: Object.fromEntries(behind.map(({ name, why }) => [name, why])),
    hint: `on the node: ${behind.map(({ name }) => `losetup -c ${name}`).join(' && ')}`,
  });
}

import { choice, given, on } from '@platter/command/flag';
import { namesOf } from '@platter/command/records';
import { verb } from '@platter/command/verb';
import { total } from '@platter/host/extents';
import { Invalid } from '@platter/units/invalid';
import { formatSize, parseSize } from '@platter/units/size';
import { compare, lines, pair, resolve } from '../diff.ts';
import { openPool, poolFlag } from '../pool.ts';
import { parseReference } from '../reference.ts';
import { referenceIn } from '../words.ts';

export default verb({
  about: 'Print the ranges in which one committed state may differ from another; outside them they are equal.',
  words: [{ name: 'A' }, { name: 'B', optional: true }],
  flags: {
    align: given({
      value: 'SIZE',
      parse: checkAlign,
      default: '64Ki',
      help: 'widen ranges to whole blocks of so much',
    }),
    exact: on('read the candidates and leave out the blocks that are equal'),
    method: given({
      ...choice('auto', 'extents', 'content'),
      default: 'auto',
      help: 'by shared extents, or by reading',
    }),
    ...poolFlag,
  },
  long: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['reflink-pool diff dev/data@3 dev/data', 'offset and length of what changed since revision 3'],
    ['reflink-pool diff dev/data', 'since the state a backup has pinned, or the one before'],
    ['reflink-pool diff dev/data@3 dev/data -o json | backup-chain capture - --repo /backup', 'hands the changes on'],
  ],
  run: async (call) => {
    const { align, exact, method } = call.flags;
    if (exact && align < 4096) throw new Invalid('--exact compares blocks of at least 4Ki: --align is too small');
    const [a, b, more] = await namesOf(call, referenceIn);
    if (a === undefined || more !== undefined) throw new Invalid('say one or two states');
    const [from, to] = [parseReference(a), b === undefined ? null : parseReference(b)];
    if (to === null && a.includes('@')) throw new Invalid(`compare ${a} with what? give a second word`);
    const pool = await openPool(call);
    const states =
      to === null ? await pair(pool, from.volume) : ([await resolve(pool, from), await resolve(pool, to)] as const);
    const { difference, ...sides } = await compare(pool, states, { align, exact, method });
    for (const line of lines({ ...sides, volume: states[1].volume, align }, difference))
      await call.emit(line, { text: line.ranges.map(([at, length]) => `${at} ${length}`), name: states[1].ref });
    const { ranges, method: how } = difference;
    call.note(
      `${formatSize(total(ranges))} in ${ranges.length} ${ranges.length === 1 ? 'range' : 'ranges'} may differ (${how})`,
    );
  },
});

function checkAlign(word: string): number {
  const align = parseSize(word);
  if (align >= 512 && align <= 16 * 2 ** 20 && Number.isInteger(Math.log2(align))) return align;
  throw new Invalid(`"${word}" is not an alignment: a power of two from 512 to 16Mi`);
}

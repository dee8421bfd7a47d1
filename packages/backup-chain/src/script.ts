import { quote } from '@platter/units/shell';
import { convertWords } from './qemu.ts';
import type { Source } from './sources.ts';

/** Always in single quotes, so that a path is one word whatever is in it. */
const single = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

function layerLines(files: readonly string[]): string[] {
  return files.flatMap((file, n) => {
    const copy = `"$scratch/${n}.qcow2"`;
    const made = [`cp --reflink=auto --sparse=always -- ${single(file)} ${copy}`, `chmod u+w ${copy}`];
    return n === 0 ? made : [...made, `qemu-img rebase -u -f qcow2 -F qcow2 -b ${n - 1}.qcow2 ${copy}`];
  });
}

const comment = (text: string): string => `# ${text.replaceAll(/[\n\r]/g, ' ')}`;

function check({ name, point, stack }: Source): string {
  const files = stack.links.map((link) => quote(link.name)).join(' ');
  return point === null
    ? `backup-chain validate --level deep --files ${files}`
    : `backup-chain validate --level deep ${name}`;
}

/** A POSIX script that restores a chain with nothing but cp and qemu-img, from copies in a scratch directory. */
export function restoreScript(source: Source, target: { path: string; file: boolean }): string[] {
  const { name, stack } = source;
  const to = single(target.path);
  const leaf = `"$scratch/${stack.links.length - 1}.qcow2"`;
  const size = stack.virtualSize;
  const room = target.file
    ? [`test ! -e ${to}`, `truncate -s ${size} -- ${to}`]
    : [`test "$(blockdev --getsize64 ${to})" -ge ${size}`];
  // Past the page cache qemu-img writes whole blocks, also behind a file that ends inside one.
  const tail = target.file
    ? [`truncate -s ${size} -- ${to}`]
    : [`if test "$(blockdev --getsize64 ${to})" -gt ${size}; then blkdiscard -z -f -o ${size} ${to}; fi`];
  return [
    '#!/bin/sh',
    comment(`restores ${name}: ${size} bytes, ${stack.links.length} layers`),
    comment(`before: ${check(source)}`),
    'set -eu',
    'scratch=$(mktemp -d)',
    'trap \'rm -rf -- "$scratch"\' EXIT',
    ...layerLines(stack.links.map((link) => link.name)),
    ...room,
    `qemu-img convert ${convertWords.join(' ')} -f qcow2 -O raw ${leaf} ${to}`,
    ...tail,
    `sync ${to}`,
  ];
}

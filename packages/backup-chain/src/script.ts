import { quote } from '@platter/units/shell';
import { convertWords } from './qemu.ts';
import type { Source } from './sources.ts';

/** Always in single quotes, so that a path is one word whatever is in it. */
const single = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** What a script copies and where to; files and target are words of the shell, quoted. */
interface Recipe {
  comments: readonly string[];
  /** Before anything is made. */
  begin: readonly string[];
  files: readonly string[];
  to: string;
  /** Makes room for the disk on the target. */
  room: readonly string[];
  /** When all data is there. */
  end: readonly string[];
}

function layerLines(files: readonly string[]): string[] {
  return files.flatMap((file, n) => {
    const copy = `"$scratch/${n}.qcow2"`;
    const made = [`cp --reflink=auto --sparse=always -- ${file} ${copy}`, `chmod u+w ${copy}`];
    return n === 0 ? made : [...made, `qemu-img rebase -u -f qcow2 -F qcow2 -b ${n - 1}.qcow2 ${copy}`];
  });
}

const comment = (text: string): string => `# ${text.replaceAll(/[\n\r]/g, ' ')}`;

/** A POSIX script that restores a chain with nothing but cp and qemu-img, from copies in a scratch directory. */
const script = ({ comments, begin, files, to, room, end }: Recipe): string[] => [
  '#!/bin/sh',
  ...comments.map(comment),
  'set -eu',
  ...begin,
  'scratch=$(mktemp -d)',
  'trap \'rm -rf -- "$scratch"\' EXIT',
  ...layerLines(files),
  ...room,
  `qemu-img convert ${convertWords.join(' ')} -f qcow2 -O raw "$scratch/${files.length - 1}.qcow2" ${to}`,
  ...end,
  `sync ${to}`,
];

/** What makes room on a block device, and clears what lies behind the disk. */
const onDevice = (to: string, size: number) => ({
  room: [`test "$(blockdev --getsize64 ${to})" -ge ${size}`],
  end: [`if test "$(blockdev --getsize64 ${to})" -gt ${size}; then blkdiscard -z -f -o ${size} ${to}; fi`],
});
/** The same for a new file: past the page cache qemu-img writes whole blocks, also behind a file that ends inside one. */
const inFile = (to: string, size: number) => ({
  room: [`test ! -e ${to}`, `truncate -s ${size} -- ${to}`],
  end: [`truncate -s ${size} -- ${to}`],
});

function check({ name, point, stack }: Source): string {
  const files = stack.links.map((link) => quote(link.name)).join(' ');
  return point === null
    ? `backup-chain validate --level deep --files ${files}`
    : `backup-chain validate --level deep ${name}`;
}

const aboutOf = ({ name, stack }: Source): string =>
  `restores ${name}: ${stack.virtualSize} bytes, ${stack.links.length} layers`;

/** The script that restores a chain from where its files lie to one target. */
export function restoreScript(source: Source, target: { path: string; file: boolean }): string[] {
  const to = single(target.path);
  const { room, end } = (target.file ? inFile : onDevice)(to, source.stack.virtualSize);
  const files = source.stack.links.map(({ name }) => single(name));
  return script({ comments: [aboutOf(source), `before: ${check(source)}`], begin: [], files, to, room, end });
}

const either = (device: readonly string[], file: readonly string[]): string[] => [
  'if test -b "$to"; then',
  ...device.map((line) => `  ${line}`),
  'else',
  ...file.map((line) => `  ${line}`),
  'fi',
];

/** The script that restores a chain from files beside the script to the target it is given, a device or a new file. */
export function portableScript(source: Source, names: readonly string[]): string[] {
  const { virtualSize } = source.stack;
  const [device, file] = [onDevice('"$to"', virtualSize), inFile('"$to"', virtualSize)];
  return script({
    comments: [aboutOf(source), 'usage: restore.sh DEVICE|NEW-FILE', 'before: sha256sum -c SHA256SUMS, in this folder'],
    begin: [
      'test $# -eq 1 || { echo "usage: restore.sh DEVICE|NEW-FILE" >&2; exit 2; }',
      'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)',
      'case $1 in /*) to=$1 ;; *) to=$PWD/$1 ;; esac',
    ],
    files: names.map((name) => `"$here"/${single(name)}`),
    to: '"$to"',
    room: either(device.room, file.room),
    end: either(device.end, file.end),
  });
}

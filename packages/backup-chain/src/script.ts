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

/** Restores a chain with nothing but cp and qemu-img, from copies in a scratch directory. */
const lines = ({ comments, begin, files, to, room, end }: Recipe): string[] => [
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

/** The largest sector; what ends inside one cannot be zeroed from its end on. */
const sector = 4096;

/** What makes room on a block device, and clears what lies behind the disk. */
function onDevice(to: string, size: number) {
  const fits = `test "$(blockdev --getsize64 ${to})" -ge ${size}`;
  const zero = (from: number): string => `blkdiscard -z -f -o ${from} ${to}`;
  if (size % sector > 0) return { room: [fits, zero(size - (size % sector))], end: [] };
  return { room: [fits], end: [`if test "$(blockdev --getsize64 ${to})" -gt ${size}; then ${zero(size)}; fi`] };
}

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

/** A chain, and where a script restores it to. */
export interface Job {
  source: Source;
  path: string;
  /** Whether a new file is made. */
  file: boolean;
}

function jobLines({ source, path, file }: Job): string[] {
  const to = single(path);
  const { room, end } = (file ? inFile : onDevice)(to, source.stack.virtualSize);
  const files = source.stack.links.map(({ name }) => single(name));
  return lines({ comments: [aboutOf(source), `before: ${check(source)}`], begin: [], files, to, room, end });
}

/** The POSIX script that restores chains from where their files lie, each to one target. */
export function restoreScript(jobs: readonly Job[]): string[] {
  const [first = [], ...more] = jobs.map(jobLines);
  if (more.length === 0) return ['#!/bin/sh', ...first];
  // A subshell each, so that each has a scratch directory and a trap of its own.
  return ['#!/bin/sh', 'set -eu', ...[first, ...more].flatMap((one) => ['(', ...one, ')'])];
}

const either = (device: readonly string[], file: readonly string[]): string[] => [
  'if test -b "$to"; then',
  ...(device.length > 0 ? device : [':']).map((line) => `  ${line}`),
  'else',
  ...file.map((line) => `  ${line}`),
  'fi',
];

/** The script that restores a chain from files beside the script to the target it is given, a device or a new file. */
export function portableScript(source: Source, names: readonly string[]): string[] {
  const { virtualSize } = source.stack;
  const [device, file] = [onDevice('"$to"', virtualSize), inFile('"$to"', virtualSize)];
  const body = lines({
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
  return ['#!/bin/sh', ...body];
}

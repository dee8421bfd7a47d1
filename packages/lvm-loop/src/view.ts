import type { View } from '@platter/command/call';
import { formatSize } from '@platter/units/size';
import type { FileStatus, LoopDevice, VolumeGroup } from './records.ts';

/** A group for people: one line, and one for each of its files. */
export function groupView({ metadata, spec, status }: VolumeGroup): View {
  const { phase, vgSize, vgFree, files } = status;
  const space = vgSize === null || vgFree === null ? '' : `  ${formatSize(vgFree)} free of ${formatSize(vgSize)}`;
  const head = `${metadata.name}  ${phase}  vg ${spec.vgName}${space}`;
  return { text: [head, ...files.map(fileLine)], name: metadata.name };
}

function fileLine({ name, path, size, loop, directIO, promise }: FileStatus): string {
  const served = loop === null ? 'no loop' : `${loop}  direct-io ${directIO}`;
  return `  ${name}  ${path}  ${formatSize(size)}  ${served}  ${promised[promise]}`;
}

const promised: Record<FileStatus['promise'], string> = {
  kept: 'promise kept',
  broken: 'promise broken',
  trimmed: 'trimmed',
  none: 'sparse',
  unknown: 'promise unknown',
};

/** A loop device for people. */
export function loopView({ device, owner, group, backFile, autoclear }: LoopDevice): View {
  const whose = group === null ? owner : `${owner} (${group})`;
  return { text: `${device}  ${whose}  ${backFile}${autoclear ? '  autoclear' : ''}`, name: device };
}

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

/** The same with volumes, what is wrong with a promise, and the LVM command that shows the group. */
export function detailedView(record: VolumeGroup): View {
  const { files, volumes = [], command } = record.status;
  const [head = '', ...lines] = [groupView(record).text ?? []].flat();
  const shown = lines.flatMap((line, at) => [line, ...missingLine(files[at])]);
  const lvs = volumes.map(
    ({ name, size, type, active }) => `  lv ${name}  ${formatSize(size)}  ${type}  ${states[String(active)]}`,
  );
  return { text: [head, ...shown, ...lvs, ...(command ? [`  ${command}`] : [])], name: record.metadata.name };
}

const states: Record<string, string> = { true: 'active', false: 'inactive', null: 'not told' };

function missingLine(file: FileStatus | undefined): string[] {
  if (file?.promise !== 'broken') return [];
  const holes = Math.max(0, file.size - (file.allocated ?? 0));
  const parts = [holes > 0 ? `${formatSize(holes)} holes` : [], file.shared ? `${formatSize(file.shared)} shared` : []];
  return [`    ${parts.flat().join(', ')}`];
}

/** A loop device for people. */
export function loopView({ device, owner, group, backFile, autoclear }: LoopDevice): View {
  const whose = group === null ? owner : `${owner} (${group})`;
  return { text: `${device}  ${whose}  ${backFile}${autoclear ? '  autoclear' : ''}`, name: device };
}

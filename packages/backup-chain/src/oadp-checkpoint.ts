import type { Host } from '@platter/host/door';
import { MiB } from '@platter/units/size';
import { isDiskName } from './address.ts';
import { attachmentsOf } from './attachments.ts';
import { document, fileBelow, type Lying } from './documents.ts';
import { type Finding, finding } from './finding.ts';
import type { ForeignFile, Moment } from './foreign.ts';
import { instantOf, vmbShape, volumesOf } from './kubevirt-backup.ts';
import { diskIn, type Listed, listedFiles, typeIn } from './oadp.ts';

/** A checkpoint as its index lists it, and the folder where it should lie. */
export interface CheckpointWish {
  /** The tree. */
  folder: string;
  /** Its own folder, below the tree. */
  base: string;
  listed: Listed;
  disks: readonly string[];
}

type Code = 'corrupt' | 'refused';
const told = (code: Code, object: string, message: string): Finding => finding(code, ['oadp', object, message]);

/** Where a file lies that the index lists; what is wrong with that. */
function lyingFindings(object: string, lying: Lying, size: number | null): Finding[] {
  if (!('fault' in lying))
    return size === null || size === lying.size
      ? []
      : [told('corrupt', object, `it has ${lying.size} bytes, but ${size} are listed`)];
  if (lying.fault === 'missing') return [told('corrupt', object, 'it is missing')];
  return [told('refused', object, lying.fault === 'outside' ? 'it lies elsewhere' : 'it is no regular file')];
}

/** What is wrong with a file's name: the disk it is of. */
function nameFindings(object: string, disk: string | null, { listed, volumes }: { listed: Listed; volumes: string[] }) {
  if (disk === null) return [told('corrupt', object, `its name does not begin with "${listed.vmBackup}-"`)];
  if (volumes.length > 0 && !volumes.includes(disk))
    return [told('corrupt', object, `it is of ${disk}, which vmb.json does not name`)];
  return isDiskName(disk) ? [] : [told('refused', object, `no disk can have the name ${JSON.stringify(disk)} here`)];
}

type File = ReturnType<typeof listedFiles>[number];

/** The path below the tree that a listed file has; null when it is said to lie outside its checkpoint's folder. */
function pathOf({ base }: CheckpointWish, { name, objectPath }: File): string | null {
  if (name.includes('/')) return null;
  if (objectPath === null || objectPath === `${base}/${name}`) return `${base}/${name}`;
  return null;
}

async function readFile(
  host: Host,
  wish: CheckpointWish,
  [file, volumes]: readonly [File, string[]],
): Promise<{ found: ForeignFile | null; findings: Finding[] }> {
  const { folder, base, listed } = wish;
  const object = `${folder}/${base}/${file.name}`;
  const path = pathOf(wish, file);
  if (path === null)
    return { found: null, findings: [told('refused', object, `${file.objectPath ?? file.name} is not in its folder`)] };
  const disk = diskIn(file.name, listed);
  const lying = await fileBelow(host, folder, path);
  const findings = [...nameFindings(object, disk, { listed, volumes }), ...lyingFindings(object, lying, file.size)];
  if (findings.length > 0 || disk === null || 'fault' in lying) return { found: null, findings };
  return { found: { disk, path: lying.path, type: typeIn(listed) ?? 'full' }, findings };
}

/** The objects kept beside a checkpoint, and the volumes that `vmb.json` names. */
async function readObjects(host: Host, { folder, base, listed }: CheckpointWish) {
  const findings: Finding[] = [];
  const pairs = new Map<string, string>();
  let volumes: string[] = [];
  for (const [name, said] of [
    ['vmb.json', listed.vmbObjectPath],
    ['vmbt.json', listed.vmbtObjectPath],
  ] as const) {
    const object = `${folder}/${base}/${name}`;
    const lying = await fileBelow(host, folder, `${base}/${name}`);
    if (said && said !== `${base}/${name}`) findings.push(told('refused', object, `${said} is not in its folder`));
    else if ('fault' in lying && (said || lying.fault !== 'missing'))
      findings.push(...lyingFindings(object, lying, null));
    if ('fault' in lying) continue;
    if (lying.size > MiB) findings.push(told('refused', object, 'it has more than 1 MiB'));
    else pairs.set(name, lying.path);
    const vmb = name === 'vmb.json' ? await document(host, lying, vmbShape) : null;
    if (name === 'vmb.json' && vmb === null) findings.push(told('corrupt', object, 'it is no object that can be read'));
    if (vmb !== null) volumes = volumesOf(vmb);
  }
  return { findings, volumes, attachments: findings.length > 0 ? [] : await attachmentsOf(host, pairs, '/') };
}

/** What is wrong with images that are all there: one disk has two, or one that `vmb.json` names has none. */
function setFindings(object: string, disks: readonly string[], volumes: readonly string[]): Finding[] {
  const twice = disks.filter((disk, n) => disks.indexOf(disk) !== n);
  const lost = volumes.filter((volume) => !disks.includes(volume));
  return [
    ...(disks.length === 0 ? [told('corrupt', object, 'no image of it is listed')] : []),
    ...twice.map((disk) => told('corrupt', object, `two images are of ${disk}`)),
    ...lost.map((disk) => told('corrupt', object, `vmb.json names ${disk}, of which no image is listed`)),
  ];
}

/** One checkpoint of a tree: its images, one of each disk, and what is wrong with any. */
export async function readCheckpoint(
  host: Host,
  wish: CheckpointWish,
): Promise<{ moment: Moment; findings: Finding[] }> {
  const { folder, base, listed, disks } = wish;
  const { attachments, volumes, findings } = await readObjects(host, wish);
  const files: ForeignFile[] = [];
  for (const file of listedFiles(listed).filter(({ name }) => name.endsWith('.qcow2'))) {
    const read = await readFile(host, wish, [file, volumes]);
    findings.push(...read.findings);
    if (read.found !== null) files.push(read.found);
  }
  const names = files.map(({ disk }) => disk);
  if (findings.length === 0) findings.push(...setFindings(`${folder}/${base}`, names, volumes));
  const meant = files.filter(({ disk }) => disks.length === 0 || disks.includes(disk));
  meant.sort((a, b) => (a.disk < b.disk ? -1 : 1));
  const { id, timestamp } = listed;
  return { moment: { id, checkpoint: id, at: instantOf(timestamp), files: meant, attachments }, findings };
}

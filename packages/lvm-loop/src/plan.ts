import { extentsOf } from './extents.ts';
import type { Image } from './images.ts';
import type { Pv, Vg } from './reports.ts';
import { type FileSpec, sizeText } from './spec.ts';

const MiB = 1024 ** 2;

/** One step of one file, in the order it is taken; `reason` says why it is needed. Sizes in bytes. */
export type Step = { reason: string } & (
  | { do: 'sweep' | 'begin' | 'publish' | 'unname' | 'attach' | 'direct-io' | 'label' | 'resize' }
  | { do: 'allocate' | 'lengthen'; from: number; to: number }
  | { do: 'capacity' | 'record'; to: number }
);

/** What one file needs to become as wanted. `joins`: it is to become a PV of the VG. */
export interface FilePlan {
  file: string;
  steps: readonly Step[];
  joins: boolean;
}

/** A file as wanted and as it is. `stray` is the size of a temporary without a sidecar. */
export interface Wanted {
  spec: FileSpec;
  directIO: 'auto' | 'off';
  image: Image | null;
  stray: number | null;
  pv: Pv | null;
}

const step = (
  name: 'begin' | 'publish' | 'unname' | 'attach' | 'direct-io' | 'label' | 'resize' | 'sweep',
  reason: string,
): Step => ({
  do: name,
  reason,
});

/**
 * The steps from what is to what is wanted; none when it is so already. `vg` is null before the group has one, and
 * `unread` in a dry run of a group that is not attached.
 */
export function planFile(wanted: Wanted, vg: Vg | 'unread' | null): FilePlan {
  const { spec, image, pv } = wanted;
  const member = vg === 'unread' ? image?.sidecar.phase === 'ready' : vg !== null && pv?.vgUuid === vg.uuid;
  if (image !== null && member) return { file: spec.name, joins: false, steps: growth(wanted, image, vg) };
  const steps = image === null ? birth(wanted) : rest(wanted, image);
  return { file: spec.name, joins: true, steps };
}

/** From nothing to a labelled PV. */
function birth({ spec, directIO, stray }: Wanted): Step[] {
  const swept = stray === null ? [] : [step('sweep', 'a crashed run left it empty')];
  return [
    ...swept,
    step('begin', 'it is to be made'),
    ...fill(0, spec.size),
    ...naming(),
    ...serving(directIO),
    labelling(),
  ];
}

const fill = (from: number, to: number): Step[] =>
  from < to
    ? [{ do: 'allocate', from, to, reason: from === 0 ? 'its blocks are promised' : 'a crashed run allocated less' }]
    : [];
const naming = () => [step('publish', 'it is complete')];
const serving = (directIO: 'auto' | 'off') => [
  step('attach', 'no loop serves it'),
  ...(directIO === 'auto' ? [step('direct-io', 'writes go past the page cache')] : []),
];
const labelling = () => step('label', 'it is no PV yet');

/** What a crashed run left to do for an image that is in no VG yet. */
function rest({ directIO }: Wanted, image: Image): Step[] {
  const { file, temp, sidecar, label } = image;
  if (file === null && temp === null)
    return [
      step('begin', 'a crashed run lost it'),
      ...fill(0, sidecar.size),
      ...naming(),
      ...serving(directIO),
      labelling(),
    ];
  const filled = fill((file ?? temp)?.size ?? 0, sidecar.size);
  const names = file === null ? naming() : temp === null ? [] : [step('unname', 'a crashed run left it two names')];
  return [...filled, ...names, ...unserved(directIO, image), ...(typeof label === 'string' ? [labelling()] : [])];
}

function unserved(directIO: 'auto' | 'off', { loops: [loop] }: Image): Step[] {
  if (loop === undefined || loop.autoclear) return serving(directIO);
  return directIO === 'auto' && !loop.directIO ? [step('direct-io', 'writes go past the page cache')] : [];
}

/** Growing towards the wanted size: image, loop, PV, record; whatever of it a crashed run had not done. */
function growth({ spec, pv }: Wanted, image: Image, vg: Vg | 'unread' | null): Step[] {
  const has = image.file?.size ?? 0;
  const size = Math.max(has, spec.size);
  const reason = `it is to have ${sizeText(size)}`;
  const longer: Step[] = has < size ? [{ do: 'lengthen', from: has, to: size, reason }] : [];
  const told: Step[] = has < size || short(image, size) ? [{ do: 'capacity', to: size, reason }] : [];
  const used: Step[] = has < size || fewer(pv, vg, size) ? [{ do: 'resize', reason }] : [];
  const kept: Step[] = image.sidecar.size < size ? [{ do: 'record', to: size, reason }] : [];
  return [...longer, ...told, ...used, ...kept];
}

const short = ({ loopSize }: Image, size: number) => loopSize !== null && loopSize !== size;

/** Whether the PV has fewer extents than fit; with a second metadata area at its end LVM knows better. */
export function fewer(pv: Pv | null, vg: Vg | 'unread' | null, size: number): boolean {
  if (pv === null || vg === null || vg === 'unread' || pv.mdas !== 1) return false;
  return pv.extents < extentsOf(size, { peStart: pv.peStart, extentSize: vg.extentSize });
}

export interface Drift {
  object: string;
  kind: 'not-in-spec' | 'smaller-in-spec';
  detail: string;
}

/** Where the group has more than is wanted; nothing is done about it. */
export function driftOf(files: readonly FileSpec[], images: readonly Image[], extentSize: number): Drift[] {
  return images.flatMap(({ sidecar, file }): Drift[] => {
    const spec = files.find(({ name }) => name === sidecar.file);
    const size = file?.size ?? sidecar.size;
    if (spec === undefined) {
      const detail = `lvm-loop remove ${sidecar.group}/${sidecar.file} --confirm=${sidecar.group}/${sidecar.file}`;
      return [{ object: sidecar.file, kind: 'not-in-spec', detail }];
    }
    if (size - spec.size < Math.max(extentSize, MiB)) return [];
    return [
      { object: sidecar.file, kind: 'smaller-in-spec', detail: `has ${sizeText(size)}, wanted ${sizeText(spec.size)}` },
    ];
  });
}

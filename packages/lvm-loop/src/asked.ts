import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import type { Common } from './flags.ts';
import type { Reserve } from './space.ts';
import { checkSpec, type FileSpec, type GroupSpec } from './spec.ts';

/** What `apply` takes besides what every verb takes. */
export interface Asked extends Common {
  file: FileSpec[];
  spec: string | undefined;
  vg: string | undefined;
  'extent-size': number | undefined;
  'sector-size': '512' | '4096' | undefined;
  sparse: boolean;
  'direct-io': 'auto' | 'off' | undefined;
  reserve: Reserve;
  'no-activate': boolean;
}

/** The groups that the words ask for: one of the command line, or those of the documents of -f. */
export async function specsOf(call: Call<Asked>): Promise<GroupSpec[]> {
  const { words, flags } = call;
  const [name] = words;
  if (flags.spec === undefined) return [checkSpec(ofWords(name, flags))];
  if (name !== undefined || flags.file.length > 0) throw new Invalid('a GROUP with --file, or -f, but not both');
  const { ofDocuments } = await import('./documents.ts');
  return (await ofDocuments(call, flags.spec)).map((spec) => ({
    ...spec,
    reserve: spec.reserve ?? flags.reserve,
    activate: flags['no-activate'] ? false : spec.activate,
  }));
}

function ofWords(name: string | undefined, flags: Asked): GroupSpec {
  if (name === undefined) throw new Failure('usage', 'GROUP is missing', { hint: 'a GROUP with --file, or -f SPEC' });
  const sector = flags['sector-size'];
  return {
    name,
    scheme: 'VolumeGroup',
    vgName: flags.vg ?? null,
    nodeName: null,
    files: flags.file,
    extentSize: flags['extent-size'] ?? null,
    sectorSize: sector === undefined ? null : sector === '512' ? 512 : 4096,
    sparse: flags.sparse,
    directIO: flags['direct-io'] ?? null,
    activate: flags['no-activate'] ? false : null,
    reserve: flags.reserve,
    thinPools: [],
  };
}

/** Whether a spec is for another node than this one. */
export function isElsewhere({ nodeName }: GroupSpec, call: Call<Common>): boolean {
  return nodeName !== null && nodeName !== (call.flags.node ?? call.holder.host);
}

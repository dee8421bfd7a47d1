import { formatInstant } from '@platter/units/instant';
import { sha256 } from './hash.ts';
import { addonOf } from './manifest.ts';
import { readObjects } from './objects.ts';
import type { ManifestRecord } from './records.ts';
import type { Manifest } from './staged.ts';

type Described = Pick<ManifestRecord, 'sha256' | 'modifiedAt' | 'addon' | 'objects'>;

/** What a record says beyond the line for people. The objects of content that cannot be read are none, with a warning. */
export function described({ path, content, mtimeNs }: Manifest, warn: (text: string) => void): Described {
  const { items, findings } = readObjects(content);
  for (const { line, column, rule, message } of findings) warn(`${path}:${line}:${column}: ${rule} ${message}`);
  return {
    sha256: sha256(content),
    modifiedAt: formatInstant(Number(mtimeNs / 1_000_000n)),
    addon: addonOf(path),
    objects: items.map(({ apiVersion, kind, namespace, name }) => ({ apiVersion, kind, namespace, name })),
  };
}

import { resolve } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { bytes } from '@platter/host/looks';
import { MiB } from '@platter/units/size';
import type { Attachment } from './publish.ts';

const named = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The files to keep beside a set, at most 1 MiB each. */
export async function attachmentsOf(
  host: Host,
  pairs: ReadonlyMap<string, string>,
  cwd: string,
): Promise<Attachment[]> {
  const found: Attachment[] = [];
  for (const [name, file] of pairs) {
    if (!named.test(name)) throw new Failure('usage', `--attach: ${JSON.stringify(name)} is no file name to keep`);
    const content = await host.query(bytes(resolve(cwd, file)));
    if (content === null) throw new Failure('refused', `there is no ${file} to attach`);
    if (content.length > MiB) throw new Failure('refused', `will not attach ${file}: it has more than 1 MiB`);
    found.push({ name, bytes: content });
  }
  return found;
}

import { join } from 'node:path';
import { Failure, Interrupted } from '@platter/host/failure';
import { realpath } from '@platter/host/looks';
import { shellLine } from '@platter/units/shell';
import type { Image } from './images.ts';
import { modern } from './lvm.ts';
import type { VolumeGroup } from './records.ts';
import { factsOf, nothingSaid } from './report.ts';
import type { Session } from './session.ts';
import { sharedBytes } from './shared.ts';
import { recordOf } from './status.ts';
import { type Found, findSidecars, type Group, lookAtGroup } from './survey.ts';
import { unknownGroup } from './sweep.ts';
import type { VgFacts } from './vg.ts';
import { detailedView } from './view.ts';

/** Prints all that is known of a group, or of one of its files, named as GROUP/FILE or by its image's path. */
export async function showOne(session: Session, word: string): Promise<void> {
  const { host, roots, call } = session;
  const found = await findSidecars(host, roots);
  const { name, file } = await named(session, found, word);
  const group = await lookAtGroup(session, found, name);
  if (file !== null && !group.images.some(({ sidecar }) => sidecar.file === file)) throw unknownGroup(word);
  const facts = await factsOf(session, group);
  const { shared, failures } = await sharedOf(session, group.images);
  const whole = recordOf({ group, facts, shared }, nothingSaid, []);
  const record = detailed(session, whole, facts);
  const files = record.status.files.filter((one) => file === null || one.name === file);
  const shown = { ...record, status: { ...record.status, files } };
  await call.emit(shown, detailedView(shown));
  for (const failure of [...obscure(group), ...failures]) call.warn(failure.message);
  if (record.status.phase === 'unknown' || failures.length > 0)
    throw new Failure('partial', `not all of ${name} could be read`);
}

interface Named {
  name: string;
  file: string | null;
}

/** A word with a leading slash is a path; one with a slash inside names a file of a group. */
async function named({ host, call }: Session, found: readonly Found[], word: string): Promise<Named> {
  const image =
    word.startsWith('/') || word.endsWith('.img') ? await host.query(realpath(absolute(call.cwd, word))) : null;
  const one = image === null ? undefined : found.find((entry) => entry.image === image);
  if (one !== undefined && typeof one.sidecar !== 'string') return { name: one.group, file: one.sidecar.file };
  const [name = '', file = null] = word.startsWith('/') ? [word] : word.split('/');
  if (!found.some(({ group }) => group === name)) throw unknownGroup(word);
  return { name, file };
}

const absolute = (cwd: string, word: string) => (word.startsWith('/') ? word : join(cwd, word));
const obscure = ({ unknown, unreadable }: Group) => [...unknown, ...unreadable].map(({ failure }) => failure);

async function sharedOf({ host }: Session, images: readonly Image[]) {
  const shared = new Map<string, number>();
  const failures: Failure[] = [];
  for (const { path } of images.filter(({ file }) => file?.kind === 'file')) {
    try {
      shared.set(path, await sharedBytes(host, path));
    } catch (error) {
      if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
      failures.push(error);
    }
  }
  return { shared, failures };
}

function detailed({ lvm }: Session, record: VolumeGroup, facts: VgFacts | null): VolumeGroup {
  const devices = record.status.files.flatMap(({ loop }) => loop ?? []);
  const line = ['lvm', 'vgs', '--devices', devices.join(','), record.spec.vgName];
  const command = devices.length === 0 || !modern(lvm) ? null : shellLine(line);
  const volumes = (facts?.lvs ?? [])
    .filter(({ hidden }) => !hidden)
    .map(({ name, size, type, pool, active, open, told }) => ({
      ...{ name, size, type, pool: pool || null },
      active: told ? active : null,
      open: told ? open : null,
    }));
  return { ...record, status: { ...record.status, volumes, command } };
}

import { lstat, text } from '@platter/host/looks';
import { exportIds, exportPath } from './exports.ts';
import type { Pool } from './pool.ts';
import type { VerificationRecord } from './records/health.ts';
import { setNames, setOf } from './sets.ts';
import { readExport } from './sidecar.ts';
import { verification } from './verifying.ts';
import type { Volume } from './volume.ts';

/** Checks what keeps images beside the volumes: that sets have all their members, and exports their image and record. */
export async function verifyKeepers(pool: Pool, volumes: readonly Volume[]): Promise<VerificationRecord[]> {
  const [sets, exported] = [await setNames(pool), await exportIds(pool)];
  return Promise.all([
    ...sets.map(async (name) => told('sets', name, await ofSet(pool, name, volumes))),
    ...exported.map(async (id) => told('exports', id, await ofExport(pool, id))),
  ]);
}

const told = (kind: string, name: string, problems: string[]) =>
  verification({ name, ref: `${kind}/${name}`, problems }, 'structure');

async function ofSet(pool: Pool, name: string, volumes: readonly Volume[]): Promise<string[]> {
  const set = await setOf(pool, name);
  if (set === null) return ['it is no set'];
  const gone = set.members.filter(({ volume, number }) => {
    const revisions = volumes.find((one) => one.name === volume)?.revisions ?? [];
    return !revisions.some((one) => one.number === number);
  });
  return gone.map(({ volume, number }) => `its member ${volume}@${number} is not there`);
}

async function ofExport(pool: Pool, id: string): Promise<string[]> {
  const content = await pool.host.query(text(exportPath(pool, id, 'json')));
  const image = await pool.host.query(lstat(exportPath(pool, id, 'img')));
  const problems = [
    content === null && 'it has no record',
    content !== null && readExport(content) === null && 'its record cannot be read',
    image === null && 'it has no image',
    image !== null && image.mode !== 0o400 && 'its image may be written',
  ];
  return problems.filter((problem) => problem !== false);
}

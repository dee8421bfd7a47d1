import { space, text } from '@platter/host/looks';
import { formatInstant } from '@platter/units/instant';
import { type Cost, calibrate } from './calibration.ts';
import { mustBeDirectory, typeName } from './filesystem.ts';
import type { Pool } from './pool.ts';
import { type Ability, probe } from './probe.ts';
import type { ProbeRecord } from './records/space.ts';
import { inScratch, type Scratch } from './scratch.ts';

/** What a directory's filesystem does for a pool, and with `measured` what a clone costs on it. */
export async function probed(call: Pool['call'], path: string, measured: boolean): Promise<ProbeRecord> {
  await mustBeDirectory(call.host, path);
  const fsType = typeName(await call.host.query(space(path)));
  const { ability, cost } = await inScratch(call, path, (scratch) => looked(scratch, measured));
  const head = { apiVersion: 'platter.dev/v1', kind: 'Probe', metadata: { name: path }, path, fsType } as const;
  const { baseUs = null, usPerMapping = null } = cost ?? {};
  return { ...head, ...ability, baseUs, usPerMapping, saved: false };
}

async function looked(scratch: Scratch, measured: boolean): Promise<{ ability: Ability; cost: Cost | null }> {
  const ability = await probe(scratch);
  return { ability, cost: measured && ability.reflink ? await calibrate(scratch) : null };
}

/** Notes in the pool what a clone costs, with what it was measured on. */
export async function saveCost(pool: Pool, { fsType, ...cost }: Pick<ProbeRecord, 'fsType'> & Cost): Promise<void> {
  const { host, now } = pool.call;
  const kernel = ((await host.query(text('/proc/sys/kernel/osrelease'))) ?? '').trim();
  const calibration = { ...cost, fsType, kernel, at: formatInstant(now()) };
  const { changeSettings } = await import('./settings.ts');
  await changeSettings(pool, { calibration }, 'what a clone costs here');
}

import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { text } from '@platter/host/looks';
import { bootId } from '@platter/host/tools/boot';
import { formatInstant, parseInstant } from '@platter/units/instant';
import type { Clock } from './records.ts';

/** The clocks of this machine in one look: wall in ms, uptime in seconds (counts suspend, as /proc/uptime does). */
export interface Clocks {
  wall: number;
  uptimeSeconds: number;
  bootId: string;
}

/** No machine that runs this release shows an earlier time. */
const released = Date.UTC(2026, 10, 1);
const backward = 5 * 60_000;
const jump = 3_600_000;
const secondLook = 600;

export async function readClocks(host: Host, wall: number): Promise<Clocks> {
  const uptime = Number((await host.query(text('/proc/uptime')))?.split(' ')[0]);
  if (Number.isNaN(uptime)) throw new Failure('failed', 'could not tell the uptime: there is no /proc/uptime');
  return { wall, uptimeSeconds: uptime, bootId: await bootId(host) };
}

/** How far (ms) the wall clock moved otherwise than uptime says it should have. */
const drift = (then: { wall: string; uptimeSeconds: number }, now: Clocks): number =>
  now.wall - parseInstant(then.wall) - (now.uptimeSeconds - then.uptimeSeconds) * 1000;

/** Whether the wall clock can be believed, and the reference to keep for the next look. */
export function judgeClock(last: Clock, now: Clocks): { sane: boolean; keep: Clock } {
  const { doubted, ...known } = last;
  if (now.wall < released || now.wall < parseInstant(last.wall) - backward) return { sane: false, keep: last };
  const keep = clockOf(now);
  if (now.bootId !== last.bootId || Math.abs(drift(last, now)) <= jump) return { sane: true, keep };
  if (doubted === undefined || Math.abs(drift(doubted, now)) > jump)
    return { sane: false, keep: { ...known, doubted: { wall: keep.wall, uptimeSeconds: now.uptimeSeconds } } };
  const agreed = now.uptimeSeconds - doubted.uptimeSeconds >= secondLook;
  return agreed ? { sane: true, keep } : { sane: false, keep: last };
}

/** The reference that a write keeps. */
export function clockOf({ wall, uptimeSeconds, bootId: boot }: Clocks): Clock {
  return { wall: formatInstant(wall), uptimeSeconds, bootId: boot };
}

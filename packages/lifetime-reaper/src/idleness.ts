import type { Host } from '@platter/host/door';
import { stat, text } from '@platter/host/looks';
import { formatInstant, parseInstant } from '@platter/units/instant';
import { Invalid } from '@platter/units/invalid';
import { checkAbsolute } from '@platter/units/path';
import type { Idle } from './records.ts';

/** A probe as a person says it: `tcp:PORT` or `touch:PATH`. */
export function checkProbe(word: string): string {
  const [, kind, rest = ''] = /^(tcp|touch):(.+)$/.exec(word) ?? [];
  if (kind === 'tcp' && /^[1-9]\d{0,4}$/.test(rest) && Number(rest) < 65_536) return word;
  if (kind === 'touch' && checkAbsolute(rest)) return word;
  throw new Invalid(`"${word}" is not a probe: use tcp:PORT or touch:PATH`);
}

const established = '01';

/** Whether /proc/net/tcp or tcp6 shows an established connection with this local port (proc(5); hexadecimal). */
export function connected(table: string, port: number): boolean {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').some((line) => {
    const [, address, , state] = line.trim().split(/\s+/);
    return address?.endsWith(`:${local}`) && state === established;
  });
}

/** When a probe last saw activity (ms): now where it cannot tell, null where there was none. */
async function ask(host: Host, probe: string, now: number): Promise<number | null> {
  const rest = probe.slice(probe.indexOf(':') + 1);
  try {
    if (probe.startsWith('touch:')) {
      const facts = await host.query(stat(rest));
      return facts === null ? null : Number(facts.mtimeNs / 1_000_000n);
    }
    const tables = [await host.query(text('/proc/net/tcp')), await host.query(text('/proc/net/tcp6'))];
    if (tables[0] === null) return now;
    return tables.some((table) => connected(table ?? '', Number(rest))) ? now : null;
  } catch {
    return now;
  }
}

/** One tick: asks every probe when the last tick is long enough ago. No answer counts as activity: silence stops nothing. */
export async function sample(host: Host, idle: Idle, now: number): Promise<Idle> {
  const last = typeof idle.sampledAt === 'string' ? parseInstant(idle.sampledAt) : Number.NEGATIVE_INFINITY;
  if (now - last < idle.everySeconds * 1000) return idle;
  const sampledAt = formatInstant(now);
  const answers = await Promise.all(idle.probes.map(async (probe) => ({ probe, at: await ask(host, probe, now) })));
  const seen = answers.filter(({ at }) => at !== null && Math.min(at, now) > parseInstant(idle.lastActivityAt));
  const newest = seen.sort((a, b) => Number(b.at) - Number(a.at))[0];
  if (newest === undefined) return { ...idle, sampledAt, idleSamples: idle.idleSamples + 1 };
  const at = formatInstant(Math.min(Number(newest.at), now));
  return { ...idle, sampledAt, idleSamples: 0, lastActivityAt: at, lastActive: { probe: newest.probe, at } };
}

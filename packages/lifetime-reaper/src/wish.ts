import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { Invalid } from '@platter/units/invalid';
import type { Wish } from './arming.ts';
import { checkCommand } from './flags.ts';
import type { Settings } from './settings.ts';

/** What `arm` was given; durations in whole seconds. */
export interface Asked {
  'max-run': number | undefined;
  'max-lifetime': number | undefined;
  grace: number | undefined;
  'on-expiry': string | undefined;
  undo: string[] | undefined;
  notify: string[] | undefined;
  'stop-timeout': number;
  idle: number | undefined;
  'idle-every': number | undefined;
  probe: string[];
  notice: number[];
  owner: string | undefined;
  note: string | undefined;
}

const day = 86_400;
const tenMinutes = 600;

/** The wish that flags and configuration make together, flags first; null where the configuration says "no lifetime". */
export function wishOf({ flags, rest }: Pick<Call<Asked>, 'flags' | 'rest'>, settings: Settings): Wish | null {
  const action = flags['on-expiry'] ?? settings.onExpiry ?? 'command';
  if (action !== 'command')
    throw new Failure('unsupported', `this release cannot ${action}; it can run a command`, {
      hint: '--on-expiry command -- /absolute/program words',
    });
  const maxRunSeconds = flags['max-run'] ?? settings.maxRun;
  if (maxRunSeconds === undefined) throw new Failure('usage', 'how long may it run?', { hint: '--max-run 8h' });
  if (maxRunSeconds === 0) return null;
  if (rest.length === 0) throw new Failure('usage', 'which command? its words come after --');
  const maxLifetimeSeconds = (flags['max-lifetime'] ?? settings.maxLifetime) || null;
  if (maxLifetimeSeconds !== null && maxLifetimeSeconds < maxRunSeconds)
    throw new Invalid('--max-lifetime is shorter than --max-run');
  return { maxRunSeconds, maxLifetimeSeconds, command: checkCommand(rest), ...others(flags, settings) };
}

function others(flags: Asked, settings: Settings) {
  const undo = flags.undo ?? null;
  return {
    graceSeconds: flags.grace ?? settings.grace ?? (undo === null ? 0 : day),
    undo,
    notify: flags.notify ?? null,
    stopTimeoutSeconds: flags['stop-timeout'],
    idle: idleOf(flags, settings),
    noticeSeconds: flags.notice.length > 0 ? flags.notice : (settings.notice ?? []),
    owner: flags.owner ?? null,
    note: flags.note ?? null,
  };
}

function idleOf(flags: Asked, { idle }: Settings): Wish['idle'] {
  const afterSeconds = flags.idle ?? idle?.after;
  const probes = flags.probe.length > 0 ? flags.probe : (idle?.probes ?? []);
  if (afterSeconds === undefined) {
    if (probes.length > 0) throw new Failure('usage', '--probe without --idle asks for nothing');
    return null;
  }
  if (probes.length === 0) throw new Failure('usage', '--idle needs a probe', { hint: '--probe tcp:6443' });
  return { afterSeconds, everySeconds: flags['idle-every'] ?? idle?.every ?? tenMinutes, probes };
}

import { choice, given, on, optional, several, text } from '@platter/command/flag';
import { verb } from '@platter/command/verb';
import { reading } from '@platter/command/words';
import { Failure } from '@platter/host/failure';
import { armed } from '../arming.ts';
import { clockOf, readClocks } from '../clock.ts';
import { argv, leasesFlag, leasesIn, seconds, span } from '../flags.ts';
import { checkProbe } from '../idleness.ts';
import { lockLease, makeLeases, pathOf, readLease, writeLease } from '../leases.ts';
import { lineOf, recordOf } from '../view.ts';
import { wishOf } from '../wish.ts';

export default verb({
  about: 'Give something a lifetime: a command runs at its end. Arming again under the same settings changes nothing.',
  words: [{ name: 'ID' }],
  rest: '/PROGRAM WORDS',
  flags: {
    'max-run': optional({ ...seconds, help: 'how long it may run; 0 is no lifetime' }),
    'max-lifetime': optional({ ...seconds, help: 'the ceiling that extending never passes' }),
    'on-expiry': optional({
      ...choice('stop', 'pause', 'teardown', 'command'),
      help: 'what happens at the end (here: command)',
    }),
    grace: optional({ ...seconds, help: 'how long an undo stays open (1d with --undo, else none)' }),
    undo: optional({ ...argv, help: 'the command line that takes the command back' }),
    notify: optional({ ...argv, help: 'run for each notice, with its key as last word' }),
    notice: several({ ...span, help: 'how long before the end a notice is sent' }),
    'stop-timeout': given({ ...span, default: '90s', help: 'how long the command may take' }),
    idle: optional({ ...span, help: 'end it earlier after so long without activity' }),
    'idle-every': optional({ ...span, help: 'how often the probes are asked (10m)' }),
    probe: several({
      value: 'PROBE',
      parse: checkProbe,
      help: 'tcp:PORT (established connections) or touch:PATH (mtime)',
    }),
    config: optional({ ...text, short: 'c', value: 'FILE|DIR', help: 'a file with a lifetime mapping; flags win' }),
    timer: optional({ ...choice('none'), help: 'none: something of yours calls reap, such as cron' }),
    owner: optional({ ...text, help: 'whose it is, for people' }),
    note: optional({ ...text, help: 'why it is, for people' }),
    restart: on('begin a new run, also without new settings'),
    leases: leasesFlag,
  },
  mutates: true,
  exits: [0, 1, 2, 3, 4, 5, 6],
  examples: [
    ['lifetime-reaper arm ci-42 --max-run 8h --timer none -- /usr/local/bin/stop-vm ci-42', 'stops it in eight hours'],
    [
      'lifetime-reaper arm ci-42 --max-run 8h --max-lifetime 24h --timer none -- /bin/stop',
      'never extended beyond a day',
    ],
    ['lifetime-reaper arm ci-42 -c . --timer none -- /bin/stop', 'takes the budget from y-cluster-provision.yaml'],
  ],
  run: async (call) => {
    const [id = ''] = call.words;
    const leases = leasesIn(call);
    reading('ID', () => pathOf(leases, id));
    const { config, timer, restart } = call.flags;
    const settings = config === undefined ? {} : await (await import('../settings.ts')).readSettings(call.host, config);
    const wish = reading('arm', () => wishOf(call, settings));
    if (wish === null) return call.note(`${id}  no lifetime: nothing is armed`);
    if (timer === undefined)
      throw new Failure('unsupported', 'this release arms no timer of its own', {
        hint: '--timer none, and a cron line: * * * * * lifetime-reaper reap --all -q',
      });
    await makeLeases(call.host, leases.dir);
    const lock = await lockLease(call.host, leases, { id, holder: call.holder });
    try {
      const last = await readLease(call.host, leases, id);
      const clocks = await readClocks(call.host, call.now());
      const moment = { now: clocks.wall, clock: clockOf(clocks), verb: 'arm' };
      const next = armed(id, last, { wish, moment, restart });
      if (next !== null) await writeLease(call.host, leases, { lifetime: next, pid: call.holder.pid });
      const lifetime = next ?? last;
      if (lifetime === null) return;
      const line = lineOf(lifetime, clocks.wall);
      await call.emit(recordOf(lifetime, clocks.wall), { text: next === null ? `${line}  (already)` : line, name: id });
    } finally {
      lock.release();
    }
  },
});

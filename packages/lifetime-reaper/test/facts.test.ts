import { output, scripted } from '@platter/host/scripted';
import { formatInstant } from '@platter/units/instant';
import { describe, expect, it } from 'vitest';
import { perform } from '../src/action.ts';
import { clockOf, judgeClock } from '../src/clock.ts';
import { checkCommand } from '../src/flags.ts';
import { checkProbe, connected, sample } from '../src/idleness.ts';
import { leasesOf } from '../src/leases.ts';
import { boot, hours, t0 } from './sample.ts';

const clocks = (wall: number, uptimeSeconds: number, bootId = boot) => ({ wall, uptimeSeconds, bootId });

describe('clock', () => {
  const last = clockOf(clocks(t0, 1000));
  it.each([
    ['moves with uptime', clocks(t0 + 60_000, 1060), true],
    ['slept, uptime counting it', clocks(hours(10), 37_000), true],
    ['another boot', clocks(hours(10), 5, 'other'), true],
    ['an hour off is believed', clocks(t0 + 3_600_000, 1000), true],
    ['jumped ahead', clocks(hours(2), 1060), false],
    ['went back 6 minutes', clocks(t0 - 360_000, 1060), false],
    ['went back 4 minutes', clocks(t0 - 240_000, 1060), true],
    ['before this was built', clocks(Date.UTC(2020, 1, 1), 5, 'other'), false],
  ])('%s', (_, now, sane) => expect(judgeClock(last, now).sane).toBe(sane));

  it('a jump is believed by a second look that agrees, ten minutes later', () => {
    const first = judgeClock(last, clocks(hours(48), 1060));
    expect(judgeClock(first.keep, clocks(hours(48) + 300_000, 1360))).toMatchObject({ sane: false });
    const second = judgeClock(first.keep, clocks(hours(48) + 660_000, 1720));
    expect(second).toMatchObject({ sane: true, keep: { uptimeSeconds: 1720 } });
    expect(second.keep.doubted).toBeUndefined();
  });
  it('a second look that disagrees starts over', () => {
    const first = judgeClock(last, clocks(hours(48), 1060));
    expect(judgeClock(first.keep, clocks(hours(96), 1720))).toMatchObject({
      sane: false,
      keep: { doubted: { uptimeSeconds: 1720 } },
    });
  });
});

const table = `  sl  local_address rem_address   st
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000
   1: 0100007F:192B 0100007F:9C40 01 00000000:00000000
   2: 0100007F:0016 0100007F:9C41 06 00000000:00000000`;

describe('idleness', () => {
  it('only established connections to that local port count', () =>
    expect([connected(table, 6443), connected(table, 22), connected(table, 40_000)]).toEqual([true, false, false]));
  it.each(['tcp:0', 'tcp:65536', 'tcp:x', 'touch:rel', 'cpu:5', 'tcp:', ''])('%j is no probe', (word) =>
    expect(() => checkProbe(word)).toThrow(),
  );

  const idle = {
    afterSeconds: 3600,
    everySeconds: 600,
    probes: ['touch:/a'],
    lastActivityAt: formatInstant(t0),
    lastActive: null,
    idleSamples: 1,
  };
  const touched = (at: number) => scripted({ 'stat /a': { mtimeNs: BigInt(at) * 1_000_000n } });
  it('a quiet tick counts', async () =>
    expect(await sample(touched(t0), idle, hours(1))).toMatchObject({
      idleSamples: 2,
      sampledAt: formatInstant(hours(1)),
    }));
  it('activity starts over', async () =>
    expect(await sample(touched(t0 + 1000), idle, hours(1))).toMatchObject({
      idleSamples: 0,
      lastActive: { probe: 'touch:/a' },
    }));
  it('a probe that cannot answer counts as activity', async () => {
    const unreadable = scripted({
      'stat /a': () => {
        throw new Error('EACCES');
      },
    });
    expect(await sample(unreadable, idle, hours(1))).toMatchObject({
      idleSamples: 0,
      lastActivityAt: formatInstant(hours(1)),
    });
  });
  it('asks no more often than it was told', async () => {
    const sampled = { ...idle, sampledAt: formatInstant(t0) };
    expect(await sample(scripted({}), sampled, t0 + 599_000)).toBe(sampled);
  });
});

describe('the action', () => {
  const line =
    "env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C PLATTER_LIFETIME=/l/a.json /bin/stop 'a b'";
  const errand = { argv: ['/bin/stop', 'a b'], lease: '/l/a.json', timeoutSeconds: 5 };
  it('runs with nothing of our environment', async () => {
    const host = scripted({});
    expect([await perform(host, errand), host.changes]).toEqual([null, [line]]);
  });
  it('tells how it failed', async () => {
    const failing = scripted({ [line]: output({ code: 3, stderr: 'x\nno such vm\n' }) });
    expect(await perform(failing, errand)).toBe('/bin/stop ended with exit 3: no such vm');
    expect(await perform(scripted({ [line]: output({ code: null }) }), errand)).toBe('/bin/stop was not done in time');
  });
  it('is an absolute path', () => expect(() => checkCommand(['stop'])).toThrow('absolute'));
});

describe('leases', () => {
  it.each([
    [undefined, { XDG_STATE_HOME: '/x', HOME: '/root' }, 0, '/var/lib/platter/lifetimes'],
    [undefined, { HOME: '/home/u' }, 1000, '/home/u/.local/state/platter/lifetimes'],
    [undefined, { XDG_STATE_HOME: '/x' }, 1000, '/x/platter/lifetimes'],
    ['/l', { XDG_STATE_HOME: '/x' }, 0, '/l'],
  ])('%s %j uid %d: %s', (said, env, uid, dir) => expect(leasesOf(said, env, uid).dir).toBe(dir));
});

import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const cli = join(import.meta.dirname, '../src/cli.ts');
const all = mkdtempSync(join(tmpdir(), 'platter-reaper-'));
afterAll(() => rmSync(all, { recursive: true }));
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(all, 'leases-'));
});

interface Ended {
  code: number;
  out: string;
  err: string;
}
const reaper = (...words: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, PLATTER_LIFETIMES: dir };
    execFile(process.execPath, [cli, ...words], { env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
const arm = (id: string, ...words: string[]) =>
  reaper('arm', id, '--max-run', '8h', '--timer', 'none', ...words, '--', '/bin/echo', id);
const lease = (id: string) => JSON.parse(readFileSync(join(dir, `${id}.json`), 'utf8'));
/** Sets a lease's deadline into the past, as time would. */
const expire = (id: string) =>
  writeFileSync(join(dir, `${id}.json`), JSON.stringify({ ...lease(id), expiresAt: '2026-11-19T00:00:00Z' }));
const touch = (id: string) =>
  reaper('arm', id, '--max-run', '8h', '--timer', 'none', '--', '/usr/bin/touch', join(dir, `${id}.acted`));

describe('bad input', () => {
  it.each([
    [['arm', 'A', '--max-run', '1h', '--timer', 'none', '--', '/bin/true'], 2, 'DNS label'],
    [['arm', '../x', '--max-run', '1h', '--timer', 'none', '--', '/bin/true'], 2, 'DNS label'],
    [['arm', 'a', '--timer', 'none', '--', '/bin/true'], 2, 'how long'],
    [['arm', 'a', '--max-run', '-5m', '--', '/bin/true'], 2, 'max-run'],
    [['arm', 'a', '--max-run', '2y', '--', '/bin/true'], 2, 'not a duration'],
    [['arm', 'a', '--max-run', '1h', '--timer', 'none'], 2, 'which command'],
    [['arm', 'a', '--max-run', '1h', '--timer', 'none', '--', 'true'], 2, 'absolute'],
    [['arm', 'a', '--max-run', '2h', '--max-lifetime', '1h', '--timer', 'none', '--', '/bin/true'], 2, 'shorter'],
    [['arm', 'a', '--max-run', '1h', '--undo', '["true"]', '--timer', 'none', '--', '/bin/true'], 2, 'absolute'],
    [['arm', 'a', '--max-run', '1h', '--idle', '1h', '--timer', 'none', '--', '/bin/true'], 2, 'probe'],
    [['arm', 'a', '--max-run', '1h', '--', '/bin/true'], 6, '--timer none'],
    [['arm', 'a', '--max-run', '1h', '--on-expiry', 'stop', '--timer', 'none'], 6, 'cannot stop'],
    [['extend', 'a', '1h'], 3, 'no lifetime a'],
    [['extend', 'a'], 2, '--to-ceiling'],
    [['reap', 'a'], 3, 'no lifetime a'],
    [['reap'], 2, '--all'],
    [['status', 'a'], 3, 'no lifetime a'],
    [['disarm', 'a'], 0, 'has no lifetime'],
    [['arm', 'a', '--leases', 'rel', '--max-run', '1h'], 2, 'absolute'],
  ])('%j is exit %d, and nothing is there afterwards', async (words, code, said) => {
    const ended = await reaper(...words);
    expect([ended.code, readdirSync(dir)]).toEqual([code, []]);
    expect(ended.err).toContain(said);
  });
});

describe('a lifetime', () => {
  it('is armed once, extended, disarmed, and gone', async () => {
    expect((await arm('a')).out).toContain('a  armed  command at');
    expect((await arm('a')).out).toContain('(already)');
    const before = lease('a');
    await reaper('extend', 'a', '2h');
    expect(Date.parse(lease('a').expiresAt) - Date.parse(before.expiresAt)).toBe(7_200_000);
    expect((await reaper('disarm', 'a')).out).toContain('a  disarmed');
    expect((await reaper('disarm', 'a', '--remove')).code).toBe(0);
    expect(readdirSync(dir)).toEqual([]);
  });
  it('acts when it is due, once, and says so', async () => {
    await touch('a');
    expect(await reaper('reap', 'a')).toMatchObject({ code: 0, out: expect.stringContaining('not-due') });
    expect(existsSync(join(dir, 'a.acted'))).toBe(false);
    expire('a');
    expect(await reaper('reap', 'a', '-o', 'json')).toMatchObject({
      code: 0,
      out: expect.stringContaining('"outcome":"reaped"'),
    });
    expect([existsSync(join(dir, 'a.acted')), lease('a').state]).toEqual([true, 'done']);
    rmSync(join(dir, 'a.acted'));
    expect(await reaper('reap', '--all')).toMatchObject({ code: 0, out: expect.stringContaining('it is done') });
    expect(existsSync(join(dir, 'a.acted'))).toBe(false);
  });
  it('with an undo window is reaped, then done when the window is over', async () => {
    await arm('a', '--undo', '["/bin/true"]');
    expire('a');
    await reaper('reap', 'a');
    expect(lease('a')).toMatchObject({ state: 'reaped', undo: { command: ['/bin/true'] } });
    writeFileSync(
      join(dir, 'a.json'),
      JSON.stringify({ ...lease('a'), undo: { until: '2026-11-19T00:00:00Z', command: null } }),
    );
    expect((await reaper('reap', 'a')).out).toContain('purged');
    expect(lease('a')).toMatchObject({ state: 'done', undo: null });
  });
  it('whose command fails is tried again later, and never done by giving up', async () => {
    await reaper('arm', 'a', '--max-run', '8h', '--timer', 'none', '--', '/bin/false');
    expire('a');
    expect(await reaper('reap', 'a')).toMatchObject({
      code: 1,
      err: expect.stringContaining('/bin/false ended with exit 1'),
    });
    expect(lease('a')).toMatchObject({ state: 'failed', attempts: 1 });
    expect((await reaper('reap', 'a')).code).toBe(0);
    writeFileSync(join(dir, 'a.json'), JSON.stringify({ ...lease('a'), nextAttemptAt: '2026-11-19T00:00:00Z' }));
    expect((await reaper('reap', 'a')).code).toBe(1);
    expect(lease('a').attempts).toBe(2);
  });
  it('sends each notice once', async () => {
    const notify = JSON.stringify(['/bin/sh', '-c', `echo "$1" >> ${join(dir, 'told')}`, 'sh']);
    await arm('a', '--notice', '9h', '--notify', notify);
    await reaper('reap', 'a');
    expect(lease('a').noticed).toHaveLength(1);
    await reaper('reap', 'a');
    expect(readFileSync(join(dir, 'told'), 'utf8')).toBe(`${lease('a').noticed[0]}\n`);
  });
  it('takes its budget from a configuration, strictly', async () => {
    const file = join(dir, 'y-cluster-provision.yaml');
    writeFileSync(file, 'name: x\nlifetime: {maxRun: 2h, onExpiry: command}\n');
    await reaper('arm', 'a', '-c', dir, '--timer', 'none', '--', '/bin/true');
    expect(lease('a').maxRunSeconds).toBe(7200);
    writeFileSync(file, 'lifetime: {maxRun: 2h, oops: 1}\n');
    expect(await reaper('arm', 'b', '-c', file, '--timer', 'none', '--', '/bin/true')).toMatchObject({
      code: 2,
      err: expect.stringContaining('oops: unknown key'),
    });
    writeFileSync(file, 'lifetime: {maxRun: "0"}\n');
    expect(await reaper('arm', 'b', '-c', file, '--timer', 'none', '--', '/bin/true')).toMatchObject({
      code: 0,
      err: expect.stringContaining('no lifetime'),
    });
    expect(existsSync(join(dir, 'b.json'))).toBe(false);
  });
});

describe('trust', () => {
  it('a lease or a directory that others may write is refused', async () => {
    await touch('a');
    expire('a');
    chmodSync(join(dir, 'a.json'), 0o666);
    expect(await reaper('reap', 'a')).toMatchObject({ code: 3, err: expect.stringContaining('chmod go-w') });
    chmodSync(join(dir, 'a.json'), 0o600);
    chmodSync(dir, 0o777);
    expect((await reaper('reap', 'a')).code).toBe(3);
    expect(existsSync(join(dir, 'a.acted'))).toBe(false);
  });
  it('a lease that does not parse is never acted on; the others are', async () => {
    await touch('b');
    expire('b');
    writeFileSync(join(dir, 'a.json'), '{"kind":"Lifetime"}', { mode: 0o600 });
    expect((await reaper('reap', 'a')).code).toBe(5);
    const { code, out } = await reaper('reap', '--all', '-o', 'json');
    expect([code, out.split('\n')[0]]).toEqual([7, expect.stringContaining('"failure":"corrupt"')]);
    expect(existsSync(join(dir, 'b.acted'))).toBe(true);
  });
  it('a clock that jumped destroys nothing at the first look', async () => {
    await touch('a');
    const { clock } = lease('a');
    expire('a');
    writeFileSync(
      join(dir, 'a.json'),
      JSON.stringify({ ...lease('a'), clock: { ...clock, uptimeSeconds: clock.uptimeSeconds + 86_400 } }),
    );
    expect(await reaper('reap', 'a')).toMatchObject({ code: 4, err: expect.stringContaining('clock') });
    expect(existsSync(join(dir, 'a.acted'))).toBe(false);
  });
  it('of many at once, one acts', async () => {
    const count = join(dir, 'count');
    await reaper('arm', 'a', '--max-run', '8h', '--timer', 'none', '--', '/bin/sh', '-c', `echo x >> ${count}`);
    expire('a');
    const codes = await Promise.all(Array.from({ length: 12 }, () => reaper('reap', 'a')));
    for (const { code } of codes) expect(code).toBeOneOf([0, 4]);
    expect(readFileSync(count, 'utf8')).toBe('x\n');
  });
  it('a dry run shows the command and changes nothing', async () => {
    await touch('a');
    expire('a');
    const before = readFileSync(join(dir, 'a.json'), 'utf8');
    expect((await reaper('reap', 'a', '-n')).out).toContain(`/usr/bin/touch ${dir}/a.acted`);
    expect([readFileSync(join(dir, 'a.json'), 'utf8'), existsSync(join(dir, 'a.acted'))]).toEqual([before, false]);
  });
});

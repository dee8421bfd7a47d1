import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { run, stat } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { prefixed } from '@platter/host/prefixed';
import { type Filesystems, hasDeviceMapper } from './filesystem.ts';
import type { Common } from './flags.ts';
import { type LvmFacts, parseVersion } from './lvm.ts';
import { rootsOf } from './roots.ts';

/** A change this run made, or would make, and why. */
export interface Deed {
  step: string;
  object: string;
  reason: string;
}

/** One run of a verb on this host. `deeds` are those of the group at hand. */
export interface Session {
  call: Call<Common>;
  host: Host;
  lvm: LvmFacts;
  roots: string[];
  deeds: Deed[];
  filesystems: Filesystems;
}

/** Who we are, what the host has and where images live; changes nothing. */
export async function open(call: Call<Common>): Promise<Session> {
  if (call.uid !== 0) throw new Failure('unsupported', 'loop devices and LVM need root', { hint: 'run it with sudo' });
  const pid = call.flags['host-pid'];
  const prefix = pid === undefined ? [] : ['nsenter', '-t', String(pid), '-m', '-u', '-i', '-n', '--'];
  const host = prefixed(call.host, prefix);
  const roots = await rootsOf(host, { said: call.flags.dir, env: call.env.PLATTER_LVM_LOOP_DIRS });
  if (pid !== undefined) for (const root of roots) await sameView(host, root);
  return { call, host, roots, deeds: [], filesystems: new Map(), lvm: await lvmFacts(host) };
}

/** Oldest releases that print what we read: JSON listings and reports. */
const oldest = { losetup: [2, 30, 0], lvm: [2, 2, 158] } as const;

async function lvmFacts(host: Host): Promise<LvmFacts> {
  const [version, , dm, control] = await Promise.all([
    versionOf(host, 'lvm', ['version']),
    versionOf(host, 'losetup', ['--version']),
    hasDeviceMapper(host),
    host.query(stat('/run/udev/control')),
  ]);
  return { version, dm, udev: control !== null };
}

async function versionOf(host: Host, program: 'lvm' | 'losetup', words: string[]) {
  const look = run(program, words, { timeout: 10_000, env: { LVM_SUPPRESS_FD_WARNINGS: '1' } });
  const version = parseVersion(must(look, await host.query(look)));
  if (version === null) throw new Failure('failed', `could not tell the version of ${program}`);
  const weight = ([major, minor, patch]: readonly number[]) => (major ?? 0) * 1e6 + (minor ?? 0) * 1e3 + (patch ?? 0);
  if (weight(version) < weight(oldest[program]))
    throw new Failure('unsupported', `${program} ${version.join('.')} is too old: it prints no JSON`, {
      hint: `${program} ${oldest[program].join('.')} or newer`,
    });
  return version;
}

/** A pod may see another directory at a root's path than the host does; then nothing we look at is what programs touch. */
async function sameView(host: Host, root: string): Promise<void> {
  const look = run('stat', ['-c', '%d:%i', '--', root], { timeout: 10_000 });
  const [theirs, ours] = [must(look, await host.query(look)).stdout.trim(), await host.query(stat(root))];
  if (theirs === `${ours?.dev}:${ours?.ino}`) return;
  throw new Failure('refused', `${root} is another directory for the host than for us`, {
    hint: `mount the host's ${root} at the same path`,
  });
}

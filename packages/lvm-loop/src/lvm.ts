import type { Output, Program } from '@platter/host/door';
import { run } from '@platter/host/looks';

/** What of the host decides how LVM is called. */
export interface LvmFacts {
  version: readonly [number, number, number];
  /** Whether the kernel has device-mapper: without it metadata works and activation does not. */
  dm: boolean;
  udev: boolean;
}

/** The loop devices one call may see, and the private directory its archive and backup go to. */
export interface Scope {
  devices: readonly string[];
  directory: string;
}

/** Loop devices, and in a dry run the names of those to come. */
const device = /^(\/dev\/loop\d+|@[a-z0-9-]+@)$/;

/** `--devices` and `--setautoactivation` are there from 2.03.12 on. */
export const modern = ({ version: [major, minor, patch] }: LvmFacts): boolean =>
  major * 1e6 + minor * 1e3 + patch >= 2_003_012;

/** One LVM command that sees the devices of its scope and no other. */
export function lvm(facts: LvmFacts, scope: Scope, words: readonly string[]): Program {
  return command(facts, scope, { words, timeout: 120_000, backup: 'retain_min=10 retain_days=7' });
}

/** A report of LVM as JSON on descriptor 3; it writes no backup. */
export function report(facts: LvmFacts, scope: Scope, words: readonly string[]): Program {
  const format = ['--reportformat', 'json', '--units', 'b', '--nosuffix'];
  const look = { words: [...words, ...format], timeout: 30_000, backup: 'backup=0 archive=0' };
  const program = command(facts, scope, look);
  return { ...program, report: true, env: { ...program.env, LVM_REPORT_FD: '3' } };
}

/** The only call without a scope: every VG name of the host, to see whether one is taken. */
export function everyVg(facts: LvmFacts): Program {
  const config = ['--config', 'backup{backup=0 archive=0}', ...(facts.dm ? [] : ['--driverloaded', 'n'])];
  const words = ['vgs', ...config, '--reportformat', 'json', '-o', 'vg_name,vg_uuid'];
  return run('lvm', words, { report: true, env: { LVM_SUPPRESS_FD_WARNINGS: '1', LVM_REPORT_FD: '3' } });
}

interface Command {
  words: readonly string[];
  timeout: number;
  backup: string;
}

function command(facts: LvmFacts, scope: Scope, { words, timeout, backup }: Command): Program {
  const stray = scope.devices.find((name) => !device.test(name));
  if (stray !== undefined || scope.devices.length === 0) throw new Error(`not a scope for LVM: ${stray ?? 'empty'}`);
  const [verb = '', ...rest] = words;
  const kernel = facts.dm ? [] : ['--driverloaded', 'n'];
  const args = [verb, '--config', config(facts, scope, backup), ...seeing(facts, scope), ...kernel, ...rest];
  return run('lvm', args, { timeout, env: { LVM_SUPPRESS_FD_WARNINGS: '1', LVM_SYSTEM_DIR: scope.directory } });
}

const seeing = (facts: LvmFacts, { devices }: Scope): string[] =>
  modern(facts) ? ['--devices', devices.join(',')] : [];

function config(facts: LvmFacts, { devices }: Scope, backup: string): string {
  const filter = `global_filter=[${[...devices.map((name) => `"a|^${name}$|"`), '"r|.*|"'].join(',')}]`;
  const seen = modern(facts) ? '' : `${filter} `;
  const udev = facts.udev ? '' : ' udev_sync=0 udev_rules=0';
  return `devices{${seen}issue_discards=0} activation{monitoring=0${udev}} backup{${backup}}`;
}

/** The first version number a program prints: "2.03.16(2) (2022-05-18)" is 2, 3, 16. */
export function parseVersion({ stdout }: Output): readonly [number, number, number] | null {
  const [, major, minor, patch] = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout) ?? [];
  return major === undefined ? null : [Number(major), Number(minor), Number(patch ?? 0)];
}

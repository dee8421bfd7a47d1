import { hostname } from 'node:os';
import type { Host } from '@platter/host/door';
import type { Fault } from '@platter/host/faulty';
import { local } from '@platter/host/local';
import { narrated } from '@platter/host/narrated';
import { formatInstant } from '@platter/units/instant';
import type { Call, Platter, View } from './call.ts';
import { meter, type ProgressMode } from './progress.ts';
import type { Stdout } from './stdout.ts';
import type { Said } from './words.ts';

export interface Scene {
  tool: string;
  verb: string;
  version: string;
  said: Said;
  signal: AbortSignal;
  stdout: Stdout;
}

const story = (line: string) => void process.stderr.write(`${line}\n`);

/** The run of one verb as the verb sees it, joined to this process. */
export async function callOf(scene: Scene): Promise<Call> {
  const { words, rest, flags } = scene.said;
  const quiet = flags.quiet === true;
  return {
    words,
    rest,
    flags,
    host: await hostOf(scene),
    env: process.env,
    cwd: process.cwd(),
    uid: process.geteuid?.() ?? -1,
    holder: holderOf(scene),
    version: scene.version,
    now: Date.now,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    uuid: () => crypto.randomUUID(),
    input: readAll,
    lines: readLines,
    stream: () => process.stdin,
    emit: (record, view) => scene.stdout.write(rendered(record, view, scene.said)),
    write: (bytes) => scene.stdout.write(bytes),
    note: quiet ? () => {} : story,
    warn: (text) => story(`${scene.tool}: warning: ${text}`),
    progress: (label, total) =>
      meter({
        label,
        total,
        mode: progressMode(flags, quiet),
        now: Date.now,
        write: (out) => void process.stderr.write(out),
      }),
  };
}

function holderOf({ tool, verb }: Scene) {
  return { tool, verb, pid: process.pid, host: hostname(), since: formatInstant(Date.now()) };
}

async function* readLines(): AsyncGenerator<string> {
  const { createInterface } = await import('node:readline');
  yield* createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
}

async function readAll(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function progressMode({ progress }: Record<string, unknown>, quiet: boolean): ProgressMode {
  if (progress === 'json') return 'json';
  return progress === 'auto' && !quiet && process.stderr.isTTY ? 'bar' : 'none';
}

/** In a dry run stdout carries the plan: shell lines, and what people would read as comments beside them. */
function rendered(record: Platter, { text = [], name }: View, { flags }: Said): string {
  const lines = typeof text === 'string' ? [text] : text;
  const dry = flags['dry-run'] === true;
  if (flags.output === 'json') return dry && record.kind !== 'Step' ? '' : `${JSON.stringify(record)}\n`;
  if (flags.output === 'name') return name === undefined || dry ? '' : `${name}\n`;
  return lines.map((line) => `${dry && record.kind !== 'Step' ? '# ' : ''}${line}\n`).join('');
}

/** This machine behind the wrappers the person asked for: told, only shown, or with a fault for tests. */
async function hostOf({ said: { flags }, signal, stdout }: Scene): Promise<Host> {
  const machine = local(signal);
  if (flags['dry-run'] === true)
    return (await import('./rehearsal.ts')).rehearsed(machine, (line) => stdout.write(line), flags);
  const fault = process.env.PLATTER_FAULT;
  const fallible = fault === undefined ? machine : await broken(machine, fault);
  if (flags.verbose !== true) return fallible;
  return narrated(fallible, (line) => story(`+ ${line}`));
}

async function broken(machine: Host, text: string): Promise<Host> {
  const { faulty, parseFault } = await import('@platter/host/faulty');
  const fault: Fault = parseFault(text);
  return faulty(machine, fault);
}

import type { Call } from '@platter/command/call';
import { asFailure, exitCode } from '@platter/command/report';
import type { Verb } from '@platter/command/verb';
import { readWords } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { dry } from '@platter/host/dry';
import type { Failure } from '@platter/host/failure';
import { local } from '@platter/host/local';
import { misfits } from './schemas.ts';

/** What a run of a verb said and how it ended. */
export interface Ran {
  code: number;
  failure: Failure | null;
  records: Record<string, unknown>[];
  text: string[];
  notes: string[];
  steps: string[];
  /** What of its records is not as their schemas say. */
  misfits: unknown[];
}

export interface Stage {
  host?: Host;
  stdin?: string;
  cwd?: string;
  env?: Record<string, string>;
  /** Milliseconds; each look at the clock is a second later. */
  at?: number;
}

type Ending = { release?: () => void; close?: () => void };

/** A descriptor that is closed twice may be another's by then. */
function once(end: () => void): () => void {
  let ended = false;
  return () => {
    if (!ended) end();
    ended = true;
  };
}

/** A machine whose locks and open files end with the verb, as they do with its process. */
function ending(host: Host): { host: Host; end(): void } {
  const ends: (() => void)[] = [];
  const kept = <T>(answer: T): T => {
    const open = (answer ?? {}) as Ending;
    for (const name of ['release', 'close'] as const) {
      const end = open[name];
      if (end === undefined) continue;
      open[name] = once(end);
      ends.push(open[name]);
    }
    return answer;
  };
  const machine: Host = {
    dry: host.dry,
    query: async (query) => kept(await host.query(query)),
    change: async (change) => kept(await host.change(change)),
  };
  const quietly = (end: () => void) => {
    try {
      end();
    } catch {
      // closed by the verb itself
    }
  };
  return { host: machine, end: () => ends.reverse().forEach(quietly) };
}

/** Runs a verb in this process, as `main` would. */
export async function tool(
  argv: readonly string[],
  { host: given = local(), stdin = '', cwd = '/', env = {}, at }: Stage = {},
): Promise<Ran> {
  const [name = '', ...words] = argv;
  const { default: verb } = (await import(`../src/commands/${name}.ts`)) as { default: Verb };
  const ran: Ran = { code: 0, failure: null, records: [], text: [], notes: [], steps: [], misfits: [] };
  const { host, end } = ending(given);
  let clock = at ?? Date.now();
  try {
    const said = readWords(verb, words, env);
    const machine = said.flags['dry-run'] === true ? dry(host, (line) => ran.steps.push(line)) : host;
    const call: Call = {
      ...said,
      host: machine,
      env,
      cwd,
      uid: 0,
      holder: { tool: 'backup-chain', verb: name, pid: process.pid, host: 'here', since: '2026-01-12T02:00:00Z' },
      version: '0.1.0',
      now: () => {
        clock += 1000;
        return at === undefined ? Date.now() : clock;
      },
      random: (length) => crypto.getRandomValues(new Uint8Array(length)),
      uuid: () => crypto.randomUUID(),
      input: async () => new TextEncoder().encode(stdin),
      lines: async function* () {
        yield* stdin.split('\n');
      },
      stream: async function* () {},
      emit: async (record, { text = [] }) => {
        ran.records.push(record);
        ran.misfits.push(...misfits(record));
        ran.text.push(...(typeof text === 'string' ? [text] : text));
      },
      write: async (bytes) => void ran.text.push(new TextDecoder().decode(bytes)),
      note: (text) => void ran.notes.push(text),
      warn: (text) => void ran.notes.push(text),
      progress: () => ({ update: () => {}, end: () => {} }),
    };
    await verb.run(call);
  } catch (error) {
    ran.failure = asFailure(error);
    ran.code = exitCode(ran.failure);
  } finally {
    end();
  }
  return ran;
}

/** The same for a run that must end well. */
export async function done(argv: readonly string[], stage: Stage = {}): Promise<Ran> {
  const ran = await tool(argv, stage);
  if (ran.failure !== null) throw ran.failure;
  if (ran.misfits.length > 0) throw new Error(`records are not as their schemas say: ${JSON.stringify(ran.misfits)}`);
  return ran;
}

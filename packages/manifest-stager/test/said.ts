import type { Call, Platter } from '@platter/command/call';
import type { Verb } from '@platter/command/verb';
import { readWords } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { exitCodes, Failure } from '@platter/host/failure';

const verbs: Record<string, () => Promise<{ default: Verb }>> = {
  add: () => import('../src/commands/add.ts'),
  replace: () => import('../src/commands/replace.ts'),
  rm: () => import('../src/commands/remove.ts'),
  list: () => import('../src/commands/list.ts'),
  show: () => import('../src/commands/show.ts'),
};

export interface Said {
  code: number;
  records: Platter[];
  texts: string[];
  bytes: Buffer;
  warnings: string[];
  failure: Failure | undefined;
}

/** Runs a verb in this process as a person would have said it, on a host of the test's. */
export async function say(
  host: Host,
  line: string,
  more: { stdin?: string | Uint8Array; cwd?: string } = {},
): Promise<Said> {
  const [name = '', ...argv] = line.split(' ');
  const said: Said = { code: 0, records: [], texts: [], bytes: Buffer.alloc(0), warnings: [], failure: undefined };
  try {
    const { default: verb } = (await verbs[name]?.()) ?? { default: undefined };
    if (verb === undefined) throw new Error(`no verb ${name}`);
    await verb.run(callOf({ said, host, words: readWords(verb, argv, {}), ...more }));
  } catch (error) {
    said.failure = error instanceof Failure ? error : undefined;
    said.code = error instanceof Failure ? exitCodes[error.kind] : (error as Error).name === 'Invalid' ? 2 : Number.NaN;
    if (Number.isNaN(said.code)) throw error;
  }
  return said;
}

interface Scene {
  said: Said;
  host: Host;
  words: ReturnType<typeof readWords>;
  stdin?: string | Uint8Array;
  cwd?: string;
}

function callOf({ said, host, words, stdin = '', cwd = '/here' }: Scene): Call {
  const bytes = typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin;
  return {
    ...words,
    host,
    env: {},
    cwd,
    uid: 0,
    holder: { tool: 'manifest-stager', verb: 'test', pid: 4242, host: 'test', since: '2026-06-02T08:11:40Z' },
    version: '0.0.0',
    now: () => 0,
    random: (length) => new Uint8Array(length).fill(0xab),
    uuid: () => '',
    input: async () => bytes,
    async *lines() {},
    async *stream() {
      yield bytes;
    },
    emit: async (record, { text = [] }) => {
      said.records.push(record);
      said.texts.push(...(typeof text === 'string' ? [text] : text));
    },
    write: async (chunk) => {
      said.bytes = Buffer.concat([said.bytes, chunk]);
    },
    note: () => {},
    warn: (text) => void said.warnings.push(text),
    progress: () => ({ add() {}, end() {} }) as never,
  };
}

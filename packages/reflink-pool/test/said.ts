import type { Call, Platter } from '@platter/command/call';
import type { Verb } from '@platter/command/verb';
import { readWords } from '@platter/command/words';
import type { Host } from '@platter/host/door';
import { exitCodes, Failure } from '@platter/host/failure';

/** What a verb said and how it ended. */
export interface Said {
  code: number;
  records: Record<string, unknown>[];
  texts: string[];
  names: string[];
  notes: string[];
  failure: Failure | undefined;
}

export interface Around {
  stdin?: string | Uint8Array;
  now?: () => number;
  /** Where the pool is, and we. */
  pool?: string;
  pid?: number;
}

let drawn = 0;
/** Not random at all, and never the same twice. */
function random(length: number): Uint8Array {
  drawn += 1;
  return Uint8Array.from({ length }, (_, index) => Math.floor(drawn / 37 ** index) % 37);
}

/** Runs a verb in this process as a person would have said it: `start vm/root --on-dirty commit`. */
export async function say(host: Host, line: string, around: Around = {}): Promise<Said> {
  const [name = '', ...argv] = line.split(' ');
  const said: Said = { code: 0, records: [], texts: [], names: [], notes: [], failure: undefined };
  try {
    const { default: verb } = (await import(`../src/commands/${name}.ts`)) as { default: Verb };
    await verb.run(
      callOf(said, { host, around, words: readWords(verb, argv, { PLATTER_POOL: around.pool ?? '/pool' }) }),
    );
  } catch (error) {
    if (error instanceof Failure) said.failure = error;
    else if ((error as Error).name !== 'Invalid') throw error;
    said.code = error instanceof Failure ? exitCodes[error.kind] : exitCodes.usage;
  }
  return said;
}

type Scene = { host: Host; around: Around; words: ReturnType<typeof readWords> };

function callOf(
  said: Said,
  {
    host,
    words,
    around: { stdin = '', now = () => Date.parse('2026-11-20T12:00:00Z'), pool = '/here', pid = 4242 },
  }: Scene,
): Call {
  const bytes = typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin;
  const show = (text: string) => void said.notes.push(text);
  return {
    ...words,
    host,
    now,
    random,
    env: {},
    cwd: pool,
    uid: 0,
    holder: { tool: 'reflink-pool', verb: 'test', pid, host: 'test', since: '2026-11-20T08:11:40Z' },
    version: '0.1.0',
    uuid: () => 'aaaaaaaa-0000-4000-8000-000000000001',
    input: async () => bytes,
    lines: async function* () {
      yield* new TextDecoder().decode(bytes).split('\n');
    },
    stream: async function* () {
      yield bytes;
    },
    emit: async (record: Platter, { text = [], name }) => {
      said.records.push(record);
      said.texts.push(...(typeof text === 'string' ? [text] : text));
      if (name !== undefined) said.names.push(name);
    },
    write: async () => {},
    note: show,
    warn: show,
    progress: () => ({ update: () => {}, end: () => {} }),
  };
}

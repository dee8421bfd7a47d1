import { duplicate } from './copy.ts';
import type { Answer, Change, Effect, Host, Program, Query } from './door.ts';
import * as files from './files.ts';
import { fill, hold } from './hold.ts';
import { Interruption } from './interruption.ts';

const run = async (program: Program, interruption: Interruption) =>
  (await import('./execute.ts')).execute(program, interruption);

/** This machine. `signal` is delivered once, to whatever the verb is doing when it comes. */
export function local(signal?: AbortSignal): Host {
  const interruption = new Interruption(signal);
  return {
    dry: false,
    query: async (query) => {
      interruption.deliver();
      return (await look(query, interruption)) as Answer<typeof query>;
    },
    change: async (change) => {
      interruption.deliver();
      return (await touch(change, interruption)) as Effect<typeof change>;
    },
  };
}

async function look(query: Query, interruption: Interruption): Promise<unknown> {
  switch (query.op) {
    case 'run':
      return run(query, interruption);
    case 'lock':
      return (await import('./lock.ts')).takeLock(query);
    case 'qmp':
      return (await import('./qmp.ts')).qmp(query);
    case 'hold':
      return hold(query.path, query);
    case 'fill':
      return fill(query);
    case 'stat':
      return files.stat(query);
    case 'text':
      return files.text(query);
    case 'bytes':
      return files.bytes(query);
    case 'list':
      return files.list(query);
    case 'realpath':
      return files.realpath(query);
    case 'readlink':
      return files.readlink(query);
    case 'space':
      return files.space(query);
    case 'greeting':
      return (await import('./greeting.ts')).greeting(query);
  }
}

async function touch(change: Change, interruption: Interruption): Promise<unknown> {
  switch (change.op) {
    case 'run':
      return run(change, interruption);
    case 'lock':
      return (await import('./lock.ts')).takeLock(change);
    case 'qmp':
      return (await import('./qmp.ts')).qmp(change);
    case 'copy':
      return duplicate(change, (program) => run(program, interruption));
    case 'pour':
      return (await import('./pour.ts')).pour(change.to, change.pieces, change.workers);
    default:
      return files.touch(change);
  }
}

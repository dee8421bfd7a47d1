import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { setInterval } from 'node:timers/promises';
import { type Outcome, run, told } from '../ground/run.ts';

/** Milliseconds after which a machine is taken for hung: software emulation on a busy host is slow. */
const limit = 600_000;

/** Waits until a file is there; rejects with the reason when the signal is aborted before. */
async function appears(path: string, signal: AbortSignal): Promise<void> {
  for await (const _ of setInterval(20, undefined, { signal })) if (existsSync(path)) return;
}

/** What keeps the programs of one machine running. Disposing kills them all, in the order of their start, and waits. */
export interface Power {
  /** Runs a program to its end. */
  run(argv: readonly string[]): Promise<Outcome>;
  /** Runs a program until the power goes. Resolves when its socket is there, rejects when it ends before. */
  serve(argv: readonly string[], socket: string): Promise<void>;
  /** Resolves when the file is there. */
  appears(path: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Switches the power on. */
export function power(): Power {
  const supply = new AbortController();
  setMaxListeners(0, supply.signal);
  const running: Promise<unknown>[] = [];
  const start = (argv: readonly string[]): Promise<Outcome> => {
    const ended = run(argv, { signal: supply.signal, timeout: limit });
    running.push(ended.catch(() => {}));
    return ended;
  };
  return {
    run: start,
    serve: async (argv, socket) => {
      const early = start(argv).then((outcome) => Promise.reject(new Error(told(argv, outcome))));
      await Promise.race([early, appears(socket, supply.signal)]);
    },
    appears: (path) => appears(path, supply.signal),
    [Symbol.asyncDispose]: async () => {
      supply.abort();
      await Promise.all(running);
    },
  };
}

import { once } from 'node:events';

/** A reader that went away: the verb is ended like by a signal, and the exit code is what a shell shows for SIGPIPE. */
export const brokenPipe = 141;

/** Writes to stdout and waits for a slow reader. `onBroken` is called once when the reader is gone. */
export class Stdout {
  #broken = false;

  constructor(onBroken: () => void) {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (!this.#broken) onBroken();
      this.#broken = true;
    });
  }

  async write(data: string | Uint8Array): Promise<void> {
    if (this.#broken || process.stdout.write(data)) return;
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => {});
  }
}

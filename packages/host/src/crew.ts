import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Answer, Job } from './bulk-worker.ts';
import { Failure } from './failure.ts';

/** Run from source the worker is a module here; in a bundle it is an entry of its own, beside the chunks. */
const script = new URL(import.meta.url.endsWith('.mjs') ? './worker.mjs' : './bulk-worker.ts', import.meta.url);

/** The thread of a worker that has ended has this number (Node, worker.threadId). */
const ended = -1;

/** One job in one worker, which keeps the process alive only meanwhile. */
async function work(worker: Worker, job: Job): Promise<Answer> {
  worker.ref();
  try {
    if (worker.threadId === ended) throw new Error('it could not be started');
    worker.postMessage(job);
    const [answer] = (await once(worker, 'message')) as [Answer];
    return answer;
  } catch (cause) {
    throw new Failure('failed', `a data worker failed: ${(cause as Error).message}`, { cause });
  } finally {
    worker.unref();
  }
}

/** Worker threads that are started when first needed and kept for the next job. Jobs must bear being begun twice. */
class Crew {
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  #size = 0;

  /**
   * Runs `job` in a worker, of which there are at most `most`; waits for one when all are busy. A worker that is lost
   * (it found no descriptor or memory to start with) leaves its job to the others; the loss of the last is a failure.
   */
  async run(job: Job, most: number): Promise<Answer> {
    const worker = await this.#hire(most);
    try {
      const answer = await work(worker, job);
      this.#release(worker);
      return answer;
    } catch (error) {
      this.#size -= 1;
      if (this.#size > 0) return this.run(job, this.#size);
      const next = this.#waiting.shift();
      if (next !== undefined) next(this.#start());
      throw error;
    }
  }

  #hire(most: number): Worker | Promise<Worker> {
    const worker = this.#idle.pop();
    if (worker !== undefined) return worker;
    if (this.#size >= most) return new Promise((resolve) => this.#waiting.push(resolve));
    return this.#start();
  }

  /** Starts workers ahead of their first job, so that they are there when it comes. */
  ready(most: number): void {
    while (this.#size < most) this.#idle.push(this.#start());
  }

  #start(): Worker {
    this.#size += 1;
    const worker = new Worker(script);
    worker.unref();
    // One that is lost while it waits is found out by its next job.
    worker.on('error', () => {});
    return worker;
  }

  #release(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(worker);
    else next(worker);
  }
}

export const crew = new Crew();

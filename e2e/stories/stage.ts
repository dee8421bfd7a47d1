import { performance } from 'node:perf_hooks';
import { type Outcome, run } from '../ground/run.ts';

/** One line of the table at the end. */
interface Shown {
  title: string;
  seconds: number | null;
  note: string;
}

export interface Expectation {
  exit?: number;
  /** Said on stdout or stderr. */
  says?: RegExp;
}

/** Where a story is played: it runs its commands in one folder, tells them with their real output, and keeps the time. */
export class Stage {
  readonly folder: string;
  readonly #tell: (text: string) => void;
  readonly #shown: Shown[] = [];
  #interrupt: AbortSignal | undefined;

  /** `interrupt` ends the command that runs, or the next one; what cleans up after it runs to its end. */
  constructor(folder: string, tell: (text: string) => void, interrupt?: AbortSignal) {
    this.folder = folder;
    this.#tell = tell;
    this.#interrupt = interrupt;
  }

  /** One part of the story; its commands run inside. */
  async step(title: string, work: () => Promise<string>): Promise<void> {
    this.#tell(`\n# ${title}\n`);
    const start = performance.now();
    const note = await work();
    this.#shown.push({ title, note, seconds: (performance.now() - start) / 1000 });
  }

  /** A part that cannot be played here, and why. */
  leaveOut(title: string, why: string): void {
    this.#tell(`\n# ${title}: left out, ${why}\n`);
    this.#shown.push({ title, note: `left out: ${why}`, seconds: null });
  }

  /** Runs a line in a shell and tells it with all it said; it must end and say as expected. Gives what it said. */
  async sh(line: string, expected: Expectation = {}): Promise<string> {
    this.#tell(`$ ${line}\n`);
    const said = await this.quietly(line, expected);
    this.#tell(said);
    return said;
  }

  /** The same without telling it: what a person would do between two commands. */
  async quietly(line: string, { exit = 0, says = /^/ }: Expectation = {}): Promise<string> {
    const { code, stdout, stderr } = await this.#run(line);
    const said = stdout + stderr;
    if (code !== exit || !says.test(said))
      throw new Error(`$ ${line}\n${said}\n(exit ${code}, expected ${exit} ${says})`);
    return said;
  }

  async #run(line: string): Promise<Outcome> {
    const signal = this.#interrupt;
    const outcome = await run(['sh', '-c', line], {
      cwd: this.folder,
      timeout: 120_000,
      ...(signal ? { signal } : {}),
    });
    if (!signal?.aborted) return outcome;
    this.#interrupt = undefined;
    throw new Error('interrupted');
  }

  /** What was shown and how long each part took. */
  table(): string {
    const width = Math.max(...this.#shown.map(({ title }) => title.length));
    const time = (seconds: number | null) => (seconds === null ? '' : `${seconds.toFixed(1)} s`).padStart(7);
    return this.#shown
      .map(({ title, note, seconds }) => `${title.padEnd(width)}  ${time(seconds)}  ${note}\n`)
      .join('');
  }
}

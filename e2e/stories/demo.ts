import { play } from './play.ts';

/** The main job on real input, told with each command's real output; see scripts/demo. Interrupted, it cleans up first. */
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => abort.abort());
try {
  const stage = await play((text) => void process.stdout.write(text), abort.signal);
  process.stdout.write(`\n${stage.table()}`);
} catch (error) {
  process.stderr.write(`\ndemo: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

import { play } from './play.ts';

/** The main job on real input, told with each command's real output; see scripts/demo. Interrupted, it cleans up first. */
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => abort.abort());
const stage = await play((text) => void process.stdout.write(text), abort.signal);
process.stdout.write(`\n${stage.table()}`);

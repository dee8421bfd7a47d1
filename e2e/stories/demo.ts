import { play } from './play.ts';

/** The main job on real input, told with each command's real output; see scripts/demo. */
const stage = await play((text) => void process.stdout.write(text));
process.stdout.write(`\n${stage.table()}`);

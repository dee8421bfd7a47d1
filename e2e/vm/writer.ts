// Runs in a guest: writes a file over and over, and does what is asked for at a port, in lines, each answered by one:
// freeze and thaw do so to the filesystem, waited tells the longest that a write took since it was asked before (ms), end ends.
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';

const [folder = '', path = ''] = process.argv.slice(2);
const port = await open(path, 'r+');
const file = await open(`${folder}/file`, constants.O_WRONLY | constants.O_CREAT | constants.O_DSYNC);
let longest = 0;

async function write(): Promise<never> {
  for (let letter = 0; ; letter += 1) {
    const since = performance.now();
    await file.write(Buffer.alloc(4096, letter), 0, 4096, 0);
    longest = Math.max(longest, performance.now() - since);
  }
}

const freeze = async (flag: string) => {
  await promisify(execFile)('fsfreeze', [flag, folder]);
  return 'done';
};

const answers: Record<string, () => Promise<string> | string> = {
  freeze: () => freeze('--freeze'),
  thaw: () => freeze('--unfreeze'),
  waited: () => {
    const waited = longest;
    longest = 0;
    return String(waited);
  },
  end: () => process.exit(),
};

void write();
await port.write('ready\n');
for await (const line of createInterface({ input: port.createReadStream() }))
  await port.write(`${await (answers[line] ?? (() => 'what?'))()}\n`);

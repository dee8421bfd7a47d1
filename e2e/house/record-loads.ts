import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** `node --import record-loads.ts PROGRAM`: at the end writes the files that were loaded, one path per line, to descriptor 3. */
const loaded: string[] = [];

registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) loaded.push(fileURLToPath(url));
    return next(url, context);
  },
});

process.on('exit', () => writeSync(3, `${loaded.join('\n')}\n`));

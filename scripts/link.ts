import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes bin/<tool>: two lines of sh that also work under sudo, cron and systemd, and through links to them. */
const root = join(import.meta.dirname, '..');
for (const folder of readdirSync(join(root, 'packages'))) {
  const { bin } = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
  for (const [name, entry] of Object.entries<string>(bin ?? {})) {
    const path = join(root, 'bin', name);
    writeFileSync(path, `#!/bin/sh\nexec '${root}/bin/node' '${join(root, 'packages', folder, entry)}' "$@"\n`);
    chmodSync(path, 0o755);
  }
}

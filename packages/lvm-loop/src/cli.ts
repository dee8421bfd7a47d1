#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {
  apply: ['Make a volume group of files, or bring it closer to what is wanted', () => import('./commands/apply.ts')],
  list: ['List the groups, or every loop device of the host', () => import('./commands/list.ts')],
  show: ['Show a group or one of its files', () => import('./commands/show.ts')],
  attach: ['Serve groups, as after a reboot', () => import('./commands/attach.ts')],
  detach: ['Take groups down', () => import('./commands/detach.ts')],
  remove: ['Remove a group with its files, or one file', () => import('./commands/remove.ts')],
});

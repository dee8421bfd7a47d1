#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {
  add: ['Stage a manifest under a new name', () => import('./commands/add.ts')],
  replace: ['Put other content under a staged name', () => import('./commands/replace.ts')],
  remove: ['Take a staged manifest away (also: rm)', () => import('./commands/remove.ts')],
  list: ['List the staged manifests', () => import('./commands/list.ts')],
  show: ['Print a staged manifest as it is', () => import('./commands/show.ts')],
});

#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {
  ensure: ['Make a labelled data disk, or keep the one that is there', () => import('./commands/ensure.ts')],
  inspect: ['Describe disk images, hostile ones too', () => import('./commands/inspect.ts')],
  verify: ['Prove that disks are sound', () => import('./commands/verify.ts')],
});

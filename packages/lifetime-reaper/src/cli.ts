#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {
  arm: ['Give something a lifetime with a command at its end', () => import('./commands/arm.ts')],
  extend: ['Move a deadline', () => import('./commands/extend.ts')],
  disarm: ['End a lifetime without its action', () => import('./commands/disarm.ts')],
  status: ['Show lifetimes', () => import('./commands/status.ts')],
  reap: ['Look, and do what is due', () => import('./commands/reap.ts')],
});

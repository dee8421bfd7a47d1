#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {
  init: ['Make a repository', () => import('./commands/init.ts')],
  capture: ['Capture disks of a VM, whole or what changed', () => import('./commands/capture.ts')],
  import: ['Import chains of files, KubeVirt or OADP', () => import('./commands/import.ts')],
  list: ['List sets or points', () => import('./commands/list.ts')],
  show: ['Show a set or a point and its chain', () => import('./commands/show.ts')],
  validate: ['Check chains, down to every byte', () => import('./commands/validate.ts')],
  plan: ['Show what a restore would read and write', () => import('./commands/plan.ts')],
  restore: ['Restore a point or a set to devices or files', () => import('./commands/restore.ts')],
  verify: ['Compare a device or a file with a point', () => import('./commands/verify.ts')],
  merge: ['Merge older points into one that is kept', () => import('./commands/merge.ts')],
  prune: ['Let sets go that a policy does not keep', () => import('./commands/prune.ts')],
  pin: ['Keep a set from being pruned', () => import('./commands/pin.ts')],
  trash: ['List, undo or purge what was merged and pruned', () => import('./commands/trash.ts')],
  scrub: ['Read data files again, a few at a time', () => import('./commands/scrub.ts')],
  drill: ['Prove that points can be restored, with receipts', () => import('./commands/drill.ts')],
  serve: ['Serve points read-only over NBD', () => import('./commands/serve.ts')],
  export: ['Export a point, or a set', () => import('./commands/export.ts')],
});

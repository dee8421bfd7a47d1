#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {
  init: ['Make a directory a pool', () => import('./commands/init.ts')],
  probe: ['Try what a pool needs, and measure what a clone costs', () => import('./commands/probe.ts')],
  adopt: ['Make images of a Qubes pool volumes where they lie', () => import('./commands/adopt.ts')],
  create: ['Make an empty volume, a snapshot of another, or a volatile one', () => import('./commands/create.ts')],
  import: ['Make a raw image the head of a volume', () => import('./commands/import.ts')],
  start: ['Give volumes a file to write', () => import('./commands/start.ts')],
  stop: ['Commit or discard what was written', () => import('./commands/stop.ts')],
  snapshot: ['Name the present state of volumes, also while they are written', () => import('./commands/snapshot.ts')],
  revert: ['Make a former state the head again', () => import('./commands/revert.ts')],
  clone: ['Make a new volume that begins as a state of another', () => import('./commands/clone.ts')],
  export: ['Keep a state under a path for others to read, or write it to a file', () => import('./commands/export.ts')],
  resize: ['Make a disk larger or smaller', () => import('./commands/resize.ts')],
  label: ['Give a revision another name', () => import('./commands/label.ts')],
  pin: ['Keep revisions from being removed', () => import('./commands/pin.ts')],
  list: ['List volumes or their revisions', () => import('./commands/list.ts')],
  show: ['Show the pool, a volume or a revision', () => import('./commands/show.ts')],
  diff: ['Print where one state of a volume differs from another', () => import('./commands/diff.ts')],
  usage: ['Show what volumes take, and what comes free', () => import('./commands/usage.ts')],
  frag: ['Show in how many pieces images lie', () => import('./commands/frag.ts')],
  flatten: ['Give heads in many pieces one piece', () => import('./commands/flatten.ts')],
  prune: ['Remove the revisions that retention lets go', () => import('./commands/prune.ts')],
  verify: ['Check volumes and their images', () => import('./commands/verify.ts')],
  doctor: ['Say what is wrong, and how to put it right', () => import('./commands/doctor.ts')],
  remove: ['Remove a volume or a revision', () => import('./commands/remove.ts')],
});

import { shellLine } from '@platter/units/shell';
import type { Machine } from '../machine.ts';
import { sameImage } from '../naming.ts';
import type { Pool } from '../pool.ts';
import { isPrepared, stateOf } from '../state.ts';
import type { Image, Volume } from '../volume.ts';
import { aside, ours, separate, type Told } from './finding.ts';

/** A volume with what the machine says of it, and the committed names in the whole pool that its working copy has too. */
export interface Patient {
  pool: Pool;
  volume: Volume;
  machine: Machine;
  /** Committed names of the working copy's own inode. */
  sharers: string[];
}

/** What is wrong with a volume's own files. */
export function ailments(patient: Patient): Told[] {
  return [...states(patient), ...writable(patient), ...numbers(patient), ...sharedWork(patient), ...stale(patient)];
}

const ends = {
  unclean: 'outlived a restart, or nobody knows: a stop commits it, and the state before stays',
  headless: 'has a working copy and no head: a stop makes the one the other',
  broken: 'has revisions and neither a head nor a working copy: the newest can be the head again',
};

function states({ pool, volume, machine }: Patient): Told[] {
  const { name, work } = volume;
  const state = stateOf(volume, { bootId: machine.bootId, held: machine.holders.length > 0 });
  if (state !== 'unclean' && state !== 'headless' && state !== 'broken') return [];
  const fix = state === 'broken' ? ours(pool, 'revert', `${name}@latest`) : ours(pool, 'stop', name);
  return [
    { code: state, path: work?.path ?? `${volume.dir}/${volume.base}.img`, message: `${name} ${ends[state]}`, fix },
  ];
}

const committed = ({ head, revisions }: Volume): Image[] => [head, ...revisions].filter((image) => image !== null);

function writable({ volume }: Patient): Told[] {
  const open = committed(volume).filter(({ mode }) => (mode & 0o222) !== 0);
  const once = open.filter((image, index) => open.findIndex((other) => sameImage(image, other)) === index);
  const own = once.filter((image) => volume.work === null || !sameImage(image, volume.work));
  return own.map(({ path }) => ({
    code: 'writable-head',
    path,
    message: `${path} is a committed image and may be written`,
    fix: shellLine(['chmod', '0400', '--', path]),
  }));
}

function numbers({ pool, volume: { revisions } }: Patient): Told[] {
  const older = revisions.filter((one, index) => revisions[index + 1]?.number === one.number);
  return older.map(({ path, number }) => ({
    code: 'duplicate-number',
    path,
    message: `${path} has number ${number}, and so has a later file`,
    fix: aside(pool, path),
  }));
}

function sharedWork({ pool, volume: { work }, sharers, machine }: Patient): Told[] {
  if (work === null || work.nlink === 1) return [];
  const { path } = work;
  const message = `${path} has a further name: what is written to it changes that one too`;
  const once = `# once ${machine.holders.join(', ')} is gone: `;
  const own = `${separate(pool, [path])} && ${shellLine(['chmod', '0600', '--', path])}`;
  const fix = sharers.length > 0 ? separate(pool, sharers) : `${machine.holders.length > 0 ? once : ''}${own}`;
  return [{ code: 'shared-working-copy', path, message, fix }];
}

function stale({ volume }: Patient): Told[] {
  const { prepared, name } = volume;
  if (prepared === null || isPrepared(volume)) return [];
  const { path } = prepared;
  const message = `${path} is not a copy of the present head of ${name}`;
  return [{ code: 'stale-prepared', path, message, fix: shellLine(['rm', '-f', '--', path]) }];
}

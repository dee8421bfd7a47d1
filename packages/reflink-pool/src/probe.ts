import { create, link, reflink, rename } from '@platter/host/changes';
import { because } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { bytes, hold, lstat, run } from '@platter/host/looks';
import { must } from '@platter/host/outcome';
import { mapInto } from '@platter/host/tools/filefrag';
import type { Scratch } from './scratch.ts';

/** What a filesystem does for a pool; `because` says why it shares no extents, null where it does. */
export interface Ability {
  reflink: boolean;
  links: boolean;
  /** Whether the map of a file tells what it shares. */
  sharedFlag: boolean;
  because: string | null;
}

const size = 65_536;
const overwritten = 4096;

/** Tries what a pool does: names of one image, and a clone that stays apart. A dry run takes it for working, and prints less. */
export async function probe(scratch: Scratch): Promise<Ability> {
  const { host, random } = scratch.call;
  const [source, content] = [scratch.file('source'), random(host.dry ? overwritten : size)];
  await host.change(because(create(source, content, 0o600), 'a probe of the filesystem'));
  const links = await linksIn(scratch, source);
  const told = await sharingIn(scratch, { path: source, content });
  return typeof told === 'string'
    ? { reflink: false, links, sharedFlag: false, because: told }
    : { reflink: true, links, ...told, because: null };
}

/** Whether a file may have a second name that can be renamed. */
async function linksIn({ call: { host }, file }: Scratch, source: string): Promise<boolean> {
  const [further, renamed] = [file('further'), file('renamed')];
  try {
    await host.change(link(source, further));
  } catch (error) {
    if (['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK'].includes(errno(error) ?? '')) return false;
    throw error;
  }
  await host.change(rename(further, renamed));
  if (host.dry) return true;
  const [one, other] = await Promise.all([host.query(lstat(source)), host.query(lstat(renamed))]);
  return one !== null && one.ino === other?.ino && one.nlink === 2;
}

interface Source {
  path: string;
  content: Uint8Array;
}

/** Clones, compares, overwrites a block of the clone and compares again; the reason where that does not work. */
async function sharingIn(scratch: Scratch, source: Source): Promise<string | { sharedFlag: boolean }> {
  const { host } = scratch.call;
  const clone = scratch.file('clone');
  const before = host.dry ? false : await sharesIn(scratch, source.path);
  try {
    await host.change(reflink(source.path, clone));
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'unsupported' || error.details.because === undefined) throw error;
    return error.details.because;
  }
  if (!(await holds(scratch, clone, source.content))) return 'a clone did not hold the bytes of its source';
  const sharedFlag = host.dry || (!before && (await sharesIn(scratch, source.path)));
  await overwrite(scratch, clone);
  const changed = Uint8Array.from(source.content).fill(0, 0, overwritten);
  if (!(await holds(scratch, clone, changed))) return 'a clone did not hold what was written to it';
  if (!(await holds(scratch, source.path, source.content))) return 'writing to a clone changed its source';
  return { sharedFlag };
}

async function sharesIn({ call: { host } }: Scratch, path: string): Promise<boolean> {
  const sink = {
    count: 0,
    shared: false,
    push(mapping: { shared: boolean }) {
      this.count += 1;
      this.shared ||= mapping.shared;
    },
  };
  const held = await host.query(hold(path));
  try {
    return (await mapInto(host, held, { sink })).shared;
  } finally {
    held.close();
  }
}

async function holds({ call: { host } }: Scratch, path: string, content: Uint8Array): Promise<boolean> {
  return host.dry || Buffer.from(content).equals((await host.query(bytes(path))) ?? new Uint8Array());
}

/** Zeros over the first block, flushed: what was shared is shared no more. */
async function overwrite({ call: { host } }: Scratch, path: string): Promise<void> {
  const words = ['if=/dev/zero', `of=${path}`, `bs=${overwritten}`, 'count=1', 'conv=notrunc,fsync', 'status=none'];
  const program = run('dd', words);
  must(program, await host.change(program));
}

import type { Host, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold, lstat, realpath, stat } from '@platter/host/looks';
import type { Guest } from '@platter/qcow2/guest';
import type { ByteSource } from '@platter/qcow2/source';
import { readContent } from './content.ts';
import type { Disk, Examined, FileFacts, Found } from './found.ts';
import { recognise } from './sniff.ts';

export interface Question {
  path: string;
  /** Somebody said that it is raw: then it may look like nothing. */
  raw: boolean;
  /** Block devices are taken too; `claimed`: only one that nobody mounts or holds, now and as long as we look. */
  devices?: boolean | 'claimed';
  /** Walks the image's tables. */
  census: boolean;
  holder(host: Host, path: string, file: Stat): Promise<string | null>;
}

/** A found disk while it is open. */
export interface Opened {
  held: Held;
  /** The guest's content; null where it may not be read. */
  guest: Guest | null;
}

/** Looks at a path and hands what it is, open for as long as `use` runs. */
export async function surveyed<T>(
  host: Host,
  question: Question,
  use: (found: Found, opened: Opened | null) => Promise<T> | T,
): Promise<T> {
  const file = await host.query(lstat(question.path));
  if (file === null) return use({ kind: 'absent' }, null);
  const path = await host.query(realpath(question.path));
  const target = path === null ? null : await host.query(stat(path));
  if (path === null || target === null) return use({ kind: 'thing', what: 'a symbolic link to nothing' }, null);
  const what = things[target.kind];
  if (what !== undefined && !(question.devices && target.kind === 'block')) return use({ kind: 'thing', what }, null);
  const exclusive = question.devices === 'claimed' && target.kind === 'block';
  const held = await host.query(hold(path, { exclusive }));
  try {
    if (held.ino !== target.ino || held.dev !== target.dev)
      throw new Failure('busy', `${question.path} was replaced while it was looked at`, { hint: 'try again' });
    const { found, guest } = await examine(host, { ...question, path }, { held, file: target });
    return await use(found, { held, guest });
  } finally {
    held.close();
  }
}

const things: Partial<Record<Stat['kind'], string>> = {
  dir: 'a directory',
  block: 'a block device',
  char: 'a character device',
  fifo: 'a FIFO',
  socket: 'a socket',
};

/** The kernel takes its time to list its locks: that runs beside the reading of the header. */
async function examine(host: Host, question: Question, { held, file }: { held: Held; file: Stat }): Promise<Examined> {
  const bytes = source(held);
  const recognised = await recognise(bytes);
  if (recognised.kind === 'named') return { found: recognised, guest: null };
  if (recognised.kind === 'unknown' && !question.raw) return { found: recognised, guest: null };
  const asked = question.holder(host, question.path, file);
  const format = recognised.kind === 'unknown' ? 'raw' : recognised.format;
  const image = format === 'qcow2' ? import('./image.ts') : null;
  const [holder, header] = await Promise.all([asked, image?.then(({ judged }) => judged(bytes))]);
  const facts = { file, fileSize: bytes.size, holder };
  if (format === 'raw') return rawDisk(bytes, facts);
  if (image === null || header === undefined)
    return { found: { kind: 'disk', format, findings: [], content: null, ...facts }, guest: null };
  return (await image).qcow2Disk(bytes, { ...header, ...facts }, question.census && holder === null);
}

async function rawDisk(bytes: ByteSource, facts: FileFacts): Promise<Examined> {
  const whole = { at: 0, length: bytes.size, kind: 'data' as const, host: 0, hostLength: bytes.size };
  const guest: Guest = {
    ...bytes,
    async *extents() {
      yield whole;
    },
  };
  const found: Disk = { kind: 'disk', format: 'raw', findings: [], content: await readContent(bytes), ...facts };
  return { found, guest };
}

import { basename } from 'node:path';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { type Held, source } from '@platter/host/hold';
import { hold, readlink } from '@platter/host/looks';
import { surveyed } from '@platter/qcow2/census';
import { type Finding as ImageFinding, Refused } from '@platter/qcow2/finding';
import { NotQcow2, parseHeader } from '@platter/qcow2/header';
import { judge } from '@platter/qcow2/judge';
import { layerOf } from '@platter/qcow2/open';
import { ShortRead } from '@platter/qcow2/source';
import { type Finding, finding } from './finding.ts';
import type { Opened } from './opening.ts';
import type { Link } from './stack.ts';

/** qcow2 files of somebody else, oldest first. */
export interface LooseWish {
  files: readonly string[];
  /** Whether names of other backing files in increments are put up with; they are never opened. */
  ignoreBacking: boolean;
  /** The file below the first, which is then an increment; without it the first is a full. */
  onto?: string;
  /** The files lie where their paths say: no link is followed. */
  noFollow?: boolean;
}

/** A finding about an image as one about a file that is not ours: 3 for what is refused, 5 for what cannot be right. */
function foreign(path: string, { rule, verdict, at, message }: ImageFinding): Finding {
  const code = verdict === 'refuse' ? 'refused' : verdict === 'corrupt' ? 'corrupt' : 'noted';
  return finding(code, [rule, path, message], { at: at ?? null });
}

/** What a failure says of a file, without its name. */
const about = ({ message }: Failure, path: string): string =>
  message.startsWith(path) ? `it ${message.slice(path.length).replace(/^:? /, '')}` : message;

function strange(path: string, error: unknown): Finding[] {
  if (error instanceof Refused) return error.findings.map((one) => foreign(path, one));
  if (error instanceof ShortRead) return [finding('corrupt', ['Q3', path, 'it ends too early'], { at: error.at })];
  if (error instanceof NotQcow2) return [finding('refused', ['Q1', path, 'it is not a qcow2 image'])];
  if (error instanceof Failure && error.kind === 'refused')
    return [finding('refused', ['Q1', path, about(error, path)])];
  throw error;
}

/** A backing name is only a claim about the order: that of the file before is no news, any other speaks against it. */
function backingFinding(path: string, name: string, { before, ignore }: { before: string; ignore: boolean }): Finding {
  if (name === basename(before))
    return finding('noted', ['Q4', path, `it names "${name}" as its backing file, as it should`]);
  const message = `it names "${name}" as its backing file, not "${basename(before)}"`;
  if (ignore) return finding('noted', ['Q4', path, `${message}; ignored`]);
  return finding('refused', ['Q4', path, message], { fix: ['--ignore-backing, if the order is right all the same'] });
}

/** Holds a regular file; one that must not be reached by a link is also where its descriptor says. */
async function holdFile(host: Host, path: string, noFollow: boolean): Promise<Held> {
  const held = await host.query(hold(path, { noFollow }));
  if (held.kind !== 'file') throw new Failure('refused', `${path} is no regular file`);
  if (noFollow && (await host.query(readlink(`/proc/self/fd/${held.fd}`))) !== path)
    throw new Failure('refused', `${path} is reached by a symbolic link`);
  return held;
}

async function openFile(
  host: Host,
  { files, ignoreBacking, onto, noFollow = false }: LooseWish,
  [n, opened]: readonly [number, Opened],
): Promise<void> {
  const path = files[n] as string;
  const before = files[n - 1] ?? onto;
  const held = await holdFile(host, path, noFollow);
  const bytes = source(held);
  const header = await parseHeader(bytes);
  const policy = before === undefined ? 'full' : 'foreign-increment';
  const judged = judge(header, policy).map((one) => foreign(path, one));
  const rules = { before: before ?? '', ignore: ignoreBacking };
  const named =
    before !== undefined && header.backing?.text ? [backingFinding(path, basename(header.backing.text), rules)] : [];
  const told = [...judged.filter(({ rule, code }) => !(rule === 'Q4' && code === 'noted')), ...named];
  opened.findings.push(...told);
  if (told.some(({ code }) => code !== 'noted')) return;
  const link: Link = { name: path, held, layer: await layerOf(bytes, header), digests: null };
  opened.links.push(link);
  const { census } = await surveyed(link.layer);
  opened.findings.push(...census.findings.map((one) => foreign(path, one)));
}

function sizes(links: readonly Link[]): Finding[] {
  return links.flatMap(({ name, layer }, n) => {
    const before = links[n - 1]?.layer.header.size ?? 0;
    const message = `its disk of ${layer.header.size} bytes is smaller than its parent's of ${before}`;
    return layer.header.size < before ? [finding('noted', ['order', name, message])] : [];
  });
}

const taken = (files: readonly string[]): Finding =>
  finding(
    'noted',
    ['order', files.at(-1) ?? '', 'order and completeness are taken from you: no manifest names these files'],
    {
      severity: 'info',
    },
  );

/** Opens files of a chain and judges each on its own (rules Q and G); nothing they name is opened, no program started. */
export async function openForeign(host: Host, wish: LooseWish): Promise<Opened> {
  const opened: Opened = { links: [], findings: [], bytesRead: 0 };
  for (const [n, path] of wish.files.entries())
    await openFile(host, wish, [n, opened]).catch((error) => opened.findings.push(...strange(path, error)));
  opened.findings.push(...sizes(opened.links));
  return opened;
}

/** The same of files whose order a person answers for. */
export async function openLoose(host: Host, wish: LooseWish): Promise<Opened> {
  const opened = await openForeign(host, wish);
  opened.findings.push(taken(wish.files));
  return opened;
}

import { census } from '@platter/qcow2/census';
import { type Finding, Refused } from '@platter/qcow2/finding';
import { guest } from '@platter/qcow2/guest';
import { type Header, parseHeader } from '@platter/qcow2/header';
import { judge } from '@platter/qcow2/judge';
import type { ByteSource } from '@platter/qcow2/source';
import { readContent } from './content.ts';
import type { Disk, Examined, FileFacts } from './found.ts';
import { stands } from './verdict.ts';

/** A header and the rules it breaks for a disk that is to be used as it is. */
export interface Judged {
  header: Header;
  findings: Finding[];
}

/** Reads and judges the header of a qcow2; nothing else of it is read. */
export async function judged(bytes: ByteSource): Promise<Judged> {
  const header = await parseHeader(bytes);
  return { header, findings: judge(header, 'attach') };
}

/** The tables are walked only where the header may be believed; the content is read only where both may. */
export async function qcow2Disk(bytes: ByteSource, known: Judged & FileFacts, wanted: boolean): Promise<Examined> {
  const disk = { kind: 'disk' as const, format: 'qcow2' as const, ...known };
  if (known.findings.some(stands)) return { found: { ...disk, content: null }, guest: null };
  const counted = wanted ? await census(bytes, known.header) : undefined;
  const findings = [...known.findings, ...(counted?.findings ?? [])];
  const judged = { ...disk, findings, ...(counted === undefined ? {} : { census: counted }) };
  if (findings.some(stands)) return { found: { ...judged, content: null }, guest: null };
  return readGuest(bytes, judged);
}

async function readGuest(bytes: ByteSource, disk: Omit<Disk, 'content'>): Promise<Examined> {
  try {
    const opened = guest(bytes, disk.header as Header, 'attach');
    return { found: { ...disk, content: await readContent(opened) }, guest: opened };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { found: { ...disk, findings: [...disk.findings, ...error.findings], content: null }, guest: null };
  }
}

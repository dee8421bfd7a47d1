import type { Stat } from '@platter/host/door';
import type { Census } from '@platter/qcow2/census';
import type { Finding } from '@platter/qcow2/finding';
import type { Guest } from '@platter/qcow2/guest';
import type { Header } from '@platter/qcow2/header';
import type { Content } from './content.ts';
import type { Format } from './sniff.ts';

/** What lies at a path, as far as it can be told without changing anything. */
export type Found =
  | { kind: 'absent' }
  | { kind: 'thing'; what: string }
  | { kind: 'named'; what: string; way: string }
  | { kind: 'unknown' }
  | Disk;

/** A disk image. `content` is null where its rules forbid to read it, or nobody here can. */
export interface Disk extends FileFacts {
  kind: 'disk';
  format: Format;
  header?: Header;
  findings: Finding[];
  census?: Census;
  content: Content | null;
}

/** What is known of any image's file. */
export interface FileFacts {
  file: Stat;
  /** Bytes of the file or device. */
  fileSize: number;
  /** Who keeps it in use, in words. */
  holder: string | null;
}

/** What was found, and the guest's content; null where it may not be read. */
export interface Examined {
  found: Found;
  guest: Guest | null;
}

import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import type { Disk, Found } from './found.ts';
import { writer } from './holders.ts';
import type { Format } from './sniff.ts';
import { details, recordOf } from './story.ts';
import { surveyed } from './survey.ts';
import type { Target } from './target.ts';

/** What to look at besides, and what it must be. */
export interface Closer {
  format: Format | undefined;
  scan: boolean;
}

/** Describes one image without starting a program; what moves under our eyes is not counted. */
export async function inspect(call: Call, target: Target, { format, scan }: Closer): Promise<void> {
  const question = {
    path: target.path,
    raw: format === 'raw',
    devices: format === 'raw',
    census: scan,
    holder: writer,
  };
  await surveyed(call.host, question, async (found) => {
    const disk = described(found, target, format);
    const record = recordOf(disk, { action: 'inspected', path: target.path, warnings: notes(disk, scan) });
    await call.emit(record, { text: details(target.said, record), name: record.path });
  });
}

/** The disk that was found; anything else cannot be described. */
function described(found: Found, { said }: Target, format: Format | undefined): Disk {
  const no = (why: string, hint?: string) =>
    new Failure('refused', `cannot describe ${said}: ${why}`, hint ? { hint } : {});
  if (found.kind === 'absent') throw no('there is nothing');
  if (found.kind === 'thing') throw no(`it is ${found.what}`);
  if (found.kind === 'named') throw no(`it is ${found.what}`, found.way);
  if (found.kind === 'unknown') throw no('it is not recognised', 'if it is a raw image, say --from-format raw');
  if (format !== undefined && found.format !== format)
    throw no(`it is ${found.format}, not ${format}`, 'leave --from-format out, or name what it is');
  const cut = found.findings.find(({ rule }) => rule === 'Q3');
  if (cut !== undefined) throw new Failure('corrupt', `cannot describe ${said}: ${cut.message} (rule Q3)`);
  return found;
}

/** What the record does not say, and why. */
function notes({ holder, header, format, content, census }: Disk, scan: boolean): string[] {
  const judged = header !== undefined || format === 'raw';
  return [
    ...(holder === null ? [] : [`${holder}; what is said of its content may be old`]),
    ...(judged ? [] : [`recognised as ${format} by its first bytes; nothing else in it was read or judged`]),
    ...(judged && content === null ? ['its content was not read, because of what was found'] : []),
    ...(scan && header !== undefined && census === undefined ? ['its tables were not walked'] : []),
  ];
}

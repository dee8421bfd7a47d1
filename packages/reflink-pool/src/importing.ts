import { Failure } from '@platter/host/failure';
import type { Volume } from './volume.ts';

/** Refuses to come between an open import and its end; `verb` is what will not be done to the volume. */
export function refuseImporting({ name, file, importing }: Volume, verb: string): void {
  if (file.import === null || importing === null) return;
  throw new Failure('busy', `will not ${verb} ${name}: an import into it is open`, {
    details: { token: file.import.token },
    hint: `reflink-pool import ${name} --commit ${file.import.token}, or --abort`,
  });
}

import { checkVolume } from './name.ts';
import { parseReference } from './reference.ts';

/** The words of a verb that takes volumes: names, or prefixes that end in `/`; Invalid with the rule otherwise. */
export function checkWords(words: readonly string[]): string[] {
  return words.map((word) => (word.endsWith('/') ? `${checkVolume(word.slice(0, -1))}/` : checkVolume(word)));
}

/** The words of a verb that takes references or such prefixes. */
export function checkReferences(words: readonly string[]): string[] {
  return words.map((word) => {
    if (word.endsWith('/')) checkVolume(word.slice(0, -1));
    else parseReference(word);
    return word;
  });
}

/** The volume a record of any of our kinds is about; undefined for a record of another kind. */
export function volumeIn(record: Record<string, unknown>): string | undefined {
  const { volume, metadata } = record as { volume?: unknown; metadata?: { name?: unknown } };
  if (typeof volume === 'string') return volume;
  return record.kind === 'Volume' && typeof metadata?.name === 'string' ? metadata.name : undefined;
}

/** The reference a record is about: `VOL@N` where it says a revision, else its volume. */
export function referenceIn(record: Record<string, unknown>): string | undefined {
  if (typeof record.ref === 'string') return record.ref;
  const volume = volumeIn(record);
  return volume !== undefined && typeof record.number === 'number' ? `${volume}@${record.number}` : volume;
}

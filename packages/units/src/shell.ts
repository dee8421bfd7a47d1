const plain = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** One word for a POSIX shell: as it is when harmless, else single-quoted. */
export function quote(word: string): string {
  return plain.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line for a POSIX shell from its words. */
export function shellLine(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

import { Invalid } from './invalid.ts';

/** A path from outside that must be absolute, without `.`, `..`, doubled or trailing slashes and control characters. */
export function checkAbsolute(path: string): string {
  const parts = path.split('/').slice(1);
  const clean = path === '/' || parts.every((part) => part !== '' && part !== '.' && part !== '..');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (path.startsWith('/') && clean && !/[\x00-\x1f\x7f]/.test(path)) return path;
  throw new Invalid(`${JSON.stringify(path)} is not an absolute path without ".." and doubled slashes`);
}

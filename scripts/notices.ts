import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The package a bundled source came from: the last `node_modules/<name>` of its path, with the folder it lies in. */
function packageOf(input: string): [name: string, folder: string] | undefined {
  const found = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(input);
  return found?.[1] === undefined || found[2] === undefined ? undefined : [found[2], found[1]];
}

function notice([name, folder]: [string, string]): string {
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  const words = file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), 'utf8').trim();
  return `${name} ${version}\n\n${words}\n`;
}

/** Writes dist/NOTICES: the licences of everything a bundle contains, found by what esbuild says went into it. */
export function writeNotices(inputs: readonly string[], dist: string): void {
  const packages = new Map(
    inputs.flatMap((input) => {
      const found = packageOf(input);
      return found === undefined ? [] : [found];
    }),
  );
  const notices = [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(notice);
  mkdirSync(dist, { recursive: true });
  writeFileSync(join(dist, 'NOTICES'), notices.join(`\n${'-'.repeat(72)}\n\n`));
}

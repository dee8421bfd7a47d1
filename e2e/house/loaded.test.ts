import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadedBy, packagesIn } from './loaded.ts';
import { entry, tools } from './tools.ts';

const built = tools.filter((tool) => existsSync(entry(tool)));

it('looks at every tool', () => expect(built).toEqual(tools));

describe.for(built)('%s', (tool) => {
  it.for([['--help'], ['--version']])('loads only cac of all libraries, and little of ours, for %j', (words) => {
    const { bytes, packages } = loadedBy(tool, words);
    expect(packages.filter((name) => name !== 'cac')).toEqual([]);
    expect(bytes).toBeLessThan(40_000);
  });

  it('has no verb that loads the Kubernetes client', () => {
    const chunks = globSync('**/*.mjs', { cwd: dirname(entry(tool)) }).map((file) => `${dirname(entry(tool))}/${file}`);
    const packages = chunks.flatMap((path) => packagesIn(readFileSync(path, 'utf8')));
    expect(packages).not.toContain('@kubernetes/client-node');
  });
});

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../ground/run.ts';
import { wrongDependencies, wrongImports } from './direction.ts';
import { manifests } from './tools.ts';

describe.for(Object.keys(manifests))('%s', (folder) => {
  it('depends only on what stands below it', () => {
    expect(wrongDependencies(folder)).toEqual([]);
  });

  it('imports only its own files and what stands below it', () => {
    const cwd = join(root, 'packages', folder, 'src');
    const wrong = globSync('**/*.ts', { cwd }).flatMap((file) => {
      const found = wrongImports(folder, readFileSync(join(cwd, file), 'utf8'), file.split('/').length);
      return found.map((specifier) => `${file}: ${specifier}`);
    });
    expect(wrong).toEqual([]);
  });
});

import { type Manifest, manifests, tools } from './tools.ts';

const foundations = ['units', 'qcow2', 'host', 'command'];

/** The packages of ours that a package may import: what stands below it. */
export const below = (folder: string): readonly string[] => {
  if (tools.includes(folder)) return foundations;
  return { units: [], qcow2: ['units'], host: ['units', 'qcow2'], command: ['units', 'qcow2', 'host'] }[folder] ?? [];
};

/** Every module a source text names: `from '...'`, `import '...'`, `import('...')`, `new URL('...', import.meta.url)`. */
export const imported = (source: string): string[] =>
  [...source.matchAll(/(?:\bfrom|\bimport|\bURL)\s*\(?\s*(['"])(.+?)\1/g)].map((match) => match[2] as string);

const ours = (specifier: string): string | undefined => /^@platter\/([^/]+)/.exec(specifier)?.[1];

/** The imports of a source file that reach beside or above its package. `depth` counts its folders below the package. */
export const wrongImports = (folder: string, source: string, depth = 1): string[] =>
  imported(source).filter((specifier) => {
    const target = ours(specifier);
    if (target !== undefined) return !below(folder).includes(target);
    const up = specifier.split('/').filter((part) => part === '..').length;
    return up > depth || (up === depth && !specifier.endsWith('/package.json'));
  });

/** The dependencies of a package.json that stand beside or above its package. */
export const wrongDependencies = (folder: string, manifest: Manifest | undefined = manifests[folder]): string[] =>
  Object.keys({ ...manifest?.dependencies, ...manifest?.devDependencies }).filter((name) => {
    const target = ours(name);
    return target !== undefined && !below(folder).includes(target);
  });

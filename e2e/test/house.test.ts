import { describe, expect, it } from 'vitest';
import { run } from '../ground/run.ts';
import { below, imported, wrongDependencies, wrongImports } from '../house/direction.ts';
import { packagesIn } from '../house/loaded.ts';
import { exchanges, replayed, script, transcript } from '../house/session.ts';

describe('direction', () => {
  it('sees every form of import', () => {
    const source = `import a from 'a';\nimport type { B } from "b";\nimport 'c';\nconst d = await import('d');\nexport { e } from 'e';\nnew Worker(new URL('./w.ts', import.meta.url))`;
    expect(imported(source)).toEqual(['a', 'b', 'c', 'd', 'e', './w.ts']);
  });

  it.for([
    ['reflink-pool', '@platter/disk-tools/label', true],
    ['reflink-pool', '@platter/host/door', false],
    ['reflink-pool', '../../disk-tools/src/label.ts', true],
    ['reflink-pool', '../package.json', false],
    ['host', '@platter/command/main', true],
    ['qcow2', '@platter/host/door', true],
    ['units', '@platter/qcow2/source', true],
    ['units', './size.ts', false],
  ] as const)('%s importing %s is wrong: %s', ([folder, specifier, wrong]) => {
    expect(wrongImports(folder, `import '${specifier}';`)).toEqual(wrong ? [specifier] : []);
  });

  it('counts folders inside the package', () => {
    expect(wrongImports('host', `import '../door.ts'; import '../../../units/src/size.ts'`, 2)).toEqual([
      '../../../units/src/size.ts',
    ]);
  });

  it('sees a dependency on a tool and on what stands above', () => {
    const manifest = {
      name: 'x',
      dependencies: { '@platter/units': '' },
      devDependencies: { '@platter/lvm-loop': '' },
    };
    expect(wrongDependencies('reflink-pool', manifest)).toEqual(['@platter/lvm-loop']);
    expect(below('command')).not.toContain('command');
  });
});

describe('what is loaded', () => {
  it('is named by the paths that esbuild writes above each module', () => {
    const code = `// ../../node_modules/.pnpm/execa@10.2.1/node_modules/execa/index.js\nx();\n  // ../../node_modules/.pnpm/@kubernetes+client-node@2.0.1_a/node_modules/@kubernetes/client-node/dist/x.js\n// ../units/src/size.ts`;
    expect(packagesIn(code)).toEqual(['execa', '@kubernetes/client-node']);
  });
});

describe('a README session', () => {
  const page = [
    '# A\n```console\n$ echo made > file; pwd\n/tmp/demo\n$ cat file \\\n>   file\nmade\nmade\n```',
    '```sh\n$ not run\n```\n```console root\n$ id -u\n0\n```\n',
  ].join('\n');

  it('is read from its blocks, those of root only as root', () => {
    expect(exchanges(page, true).map(({ command }) => command)).toEqual([
      'echo made > file; pwd',
      'cat file \\\n  file',
      'id -u',
    ]);
    expect(exchanges(page, false)).toHaveLength(2);
    expect(() => exchanges('```console\nno command\n```', true)).toThrow(/begins with "no command"/);
  });

  it('is run in one shell and compared without what varies', async () => {
    const session = exchanges(
      '```console\n$ v="b  "; echo a >&2\na\n$ echo "$v /dev/loop7 12 ms 0a1b2c3d4e"\nb /dev/loop3 4.5 s 99999999\n```',
      true,
    );
    const { stdout } = await run(['sh', '-c', script(session)]);
    expect(transcript(replayed(session, stdout))).toBe(transcript(session));
  });

  it('differs when a command prints something else, or ends the shell', async () => {
    const session = exchanges('```console\n$ echo a\nb\n$ exit 3\n$ echo c\nc\n```', true);
    const { stdout } = await run(['sh', '-c', script(session)]);
    expect(transcript(replayed(session, stdout))).toBe('$ echo a\na\n$ exit 3\n\n$ echo c\n(not run)\n');
  });
});

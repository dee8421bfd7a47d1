import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CrashCase } from '../crash/case.ts';
import { matrix, places, wrongEnd } from '../crash/driver.ts';
import { runAt, siteAt } from '../crash/site.ts';
import { tempFolder } from '../ground/folder.ts';
import { tree } from '../ground/tree.ts';

const tool = join(import.meta.dirname, 'fake-tool');
const content = (dir: string) => readFile(join(dir, 'file'), 'utf8');

const subject = (how: string, more: Partial<CrashCase> = {}): CrashCase => ({
  name: `fake ${how}`,
  needs: [],
  keeps: ['the file is old or new'],
  prepare: (dir) => writeFile(join(dir, 'file'), 'old'),
  command: (dir) => [tool, how, join(dir, 'file')],
  interrupted: async (dir) => expect(await content(dir)).toBeOneOf(['old', 'new']),
  settled: async (dir) => {
    expect(await content(dir)).toBe('new');
    expect(Object.keys(await tree(dir))).toEqual(['file']);
  },
  ...more,
});

describe.concurrent('the crash matrix', { timeout: 30_000 }, () => {
  it('counts the changes of a tool that is right', async () => {
    const row = { name: 'fake whole', changes: 4, runs: 11, keeps: ['the file is old or new'] };
    expect(await matrix(subject('whole'))).toEqual(row);
  });

  it.for([
    ['in-place', /kill@2: after the disturbance: .*one of/s],
    ['stuck', /kill@2: rerun: not one of exit 0.*is in the way/s],
    ['lazy', /kill@2: after the rerun: expected 'old' to be 'new'/],
    ['mute', /fail@1: said 0 though a change failed/],
    ['wordless', /fail@1: failed without a word/],
    ['vague', /enospc@1: did not say that the disk is full/],
    ['littering', /kill@1: left behind: litter in TMPDIR/],
    ['deaf', /0 changes: does it obey PLATTER_FAULT/],
  ] as const)('sees what is wrong with a tool that is %s', async ([how, message]) => {
    await expect(matrix(subject(how))).rejects.toThrow(message);
  });

  it('sees a process that outlives the tool', async () => {
    await using folder = await tempFolder();
    const lingering = runAt(await siteAt(folder.path), subject('lingering'), {});
    await expect(lingering).rejects.toThrow(/left running: sleep/);
  });

  it('takes a failed best effort that says so', async () => {
    const row = await matrix(subject('mute', { bestEffort: /the change failed|no space/, interrupted: () => {} }));
    expect(row.changes).toBe(4);
  });

  it('runs another command after the disturbance, and takes the codes the case accepts', async () => {
    const rerun = (dir: string) => ['sh', '-c', `printf new >${dir}/file; rm -f ${dir}/file.partial; exit 3`];
    expect(await matrix(subject('whole', { rerun, accepts: [3] }))).toMatchObject({ changes: 4 });
  });

  it('copies from material made once, and cleans up after each run', async () => {
    const calls: string[] = [];
    const row = await matrix(
      subject('whole', {
        material: async (dir) => void calls.push(await writeFile(join(dir, 'old'), 'old').then(() => 'material')),
        prepare: async (dir, material) => writeFile(join(dir, 'file'), await readFile(join(material, 'old'))),
        cleanup: () => void calls.push('cleanup'),
      }),
    );
    expect(calls).toEqual(['material', ...Array.from({ length: row.runs + 1 }, () => 'cleanup')]);
  });
});

describe('the places of a disturbance', () => {
  it.for([
    ['kill', 4, [1, 2, 3, 4]],
    ['fail', 1, [1]],
    ['enospc', 7, [1, 4, 7]],
    ['int', 7, [2, 5]],
    ['int', 1, [1]],
    ['int', 2, [2]],
  ] as const)('%s, %d changes', ([fault, changes, expected]) => expect(places(fault, changes)).toEqual(expected));
});

describe('the end of a disturbed run', () => {
  const outcome = { code: 1, signal: null, stdout: '', stderr: 'no space left', session: 1 };
  it.for([
    [{ fault: 'fail', n: 1 }, {}, undefined],
    [{ fault: 'enospc', n: 1 }, {}, undefined],
    [{ fault: 'fail', n: 1 }, { code: null, signal: 'SIGSEGV' }, 'ended by SIGSEGV'],
    [{ fault: 'int', n: 1 }, { code: null, signal: 'SIGINT' }, undefined],
    [{ fault: 'int', n: 1 }, { code: 130 }, undefined],
    [{ fault: 'int', n: 1 }, { code: 0 }, undefined],
    [{ fault: 'int', n: 1 }, {}, 'did not end by SIGINT'],
  ] as const)('%j with %j', ([at, end, expected]) => {
    expect(wrongEnd(at, { ...outcome, ...end })).toBe(expected);
  });
});

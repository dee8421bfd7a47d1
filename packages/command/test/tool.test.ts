import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const fixture = join(import.meta.dirname, 'fixture/fixture.ts');
let folder = mkdtempSync(join(tmpdir(), 'platter-command-'));
const folders = [folder];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platter-command-'));
  folders.push(folder);
});
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true });
});

interface Ended {
  code: number | null;
  signal: string | null;
  out: string;
  err: string;
}

function start(words: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [fixture, ...words], { cwd: folder, env: { ...process.env, ...env } });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const [out, err, [code, signal]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'close'),
  ]);
  return { code, signal, out, err };
}

async function tool(words: string[], { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {}) {
  const child = start(words, env);
  child.stdin?.end(input);
  return ended(child);
}

const records = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('words', () => {
  it.each([
    [[], 'which verb?'],
    [['keepp', 'a'], 'there is no verb "keepp"'],
    [['toString'], 'there is no verb "toString"'],
    [['keep'], 'NAME is missing'],
    [['keep', 'a', '--nope'], "Unknown option '--nope'"],
    [['keep', 'a', '--size', '10GB'], '--size: "10GB" is not a size'],
    [['keep', 'a', '--size'], "Option '--size <value>' argument missing"],
    [['keep', 'a', '--shape', 'flat'], '"flat" is none of round, square'],
    [['keep', 'a', '--times', '0x3'], '"0x3" is not a whole number'],
    [['keep', 'a', '-o', 'yaml'], '"yaml" is none of text, json, name'],
    [['completion', 'csh'], 'bash, zsh or fish'],
  ])('%j is exit 2, and nothing is touched', async (words, said) => {
    const { code, err, out } = await tool(words);
    expect([code, out, readdirSync(folder)]).toEqual([2, '', []]);
    expect(err).toContain(said);
  });

  it('takes flags also before the verb', async () => {
    const { out } = await tool(['--tag', 'a', '-o', 'json', 'keep', '0123']);
    expect(records(out)).toMatchObject([{ metadata: { name: '0123' }, tags: ['a'] }]);
    expect((await tool(['--tag', 'a'])).err).toContain('there is no verb "--tag"');
  });

  it('keeps numbers, dashes and what follows -- as they were said', async () => {
    const { out } = await tool(['keep', '0123', '--tag', 'a', '--tag=-b', '-o', 'json', '--', '-c', '--', 'd']);
    expect(records(out)).toMatchObject([{ metadata: { name: '0123' }, tags: ['a', '-b'], rest: ['-c', '--', 'd'] }]);
  });

  it('reads a flag from the environment, which a flag outvotes', async () => {
    expect((await tool(['keep', 'a'], { env: { FIXTURE_TIMES: 'x' } })).err).toContain('FIXTURE_TIMES: "x"');
    expect((await tool(['keep', 'a', '--times', '3'], { env: { FIXTURE_TIMES: 'x' } })).code).toBe(0);
  });
});

describe('records', () => {
  it('stdin gives records and bare words; names chain verbs', async () => {
    const { out } = await tool(['keep', '-', '-o', 'name'], { input: '{"metadata":{"name":"x"}}\n\n y \n' });
    expect([out, readdirSync(folder)]).toEqual(['x\ny\n', ['x', 'y']]);
  });
  it('a line that is no JSON is exit 2', async () =>
    expect(await tool(['keep', '-'], { input: '{"a"' })).toMatchObject({ code: 2, out: '' }));
  it('of several, one failing is partial and has its record; the others are done', async () => {
    const { code, out, err } = await tool(['keep', 'a', 'b', 'c', '--fail', '-o', 'json']);
    expect([code, records(out).map(({ kind }) => kind)]).toEqual([7, ['Kept', 'Failure', 'Kept']]);
    expect([err.includes('try  keep c'), readdirSync(folder)]).toEqual([true, ['a', 'c']]);
  });
  it('one failing alone fails as itself', async () =>
    expect(await tool(['keep', 'b', '--fail'])).toMatchObject({
      code: 3,
      err: 'fixture: will not keep b\n  try  keep c\n',
    }));
});

describe('what a person sees', () => {
  it('help names usage, flags, three examples and the exit codes', async () => {
    const { code, out } = await tool(['keep', '--help']);
    expect(code).toBe(0);
    for (const part of [
      'Usage:\n  fixture keep <...NAME> -- COMMAND',
      '(default: 4K)',
      '[FIXTURE_TIMES]',
      'Examples:',
      'Exit codes:\n  0  done',
      '  7  partial',
    ])
      expect(out).toContain(part);
    expect(out).toMatch(/--no-ink +leave the paper blank\n/);
    expect(out.match(/--help/g)).toHaveLength(1);
    expect((await tool(['help', 'keep'])).out).toBe(out);
  });
  it('version', async () => expect((await tool(['-V'])).out).toBe('fixture 1.2.3\n'));
  it('--help after -- is a word', async () =>
    expect((await tool(['keep', 'a', '-o', 'json', '--', '--help'])).out).toContain('"rest":["--help"]'));
  it.each(['bash', 'zsh', 'fish'])('completion of %s names verbs and flags', async (shell) => {
    const { out } = await tool(['completion', shell]);
    expect(out).toMatch(/keep[\s\S]*(--|-l )size/);
  });
  it('-v tells changes, -n only shows them', async () => {
    const told = await tool(['keep', 'a', '-v']);
    expect(told.err).toContain(`+ mv -T -- ${folder}/a.tmp ${folder}/a`);
    const shown = await tool(['keep', 'b', '-n']);
    expect([shown.out.split('\n').length, readdirSync(folder), shown.out.endsWith('# b  kept\n')]).toEqual([
      4,
      ['a'],
      true,
    ]);
  });
  it('pasted, a dry run does what the run does', async () => {
    const { out } = await tool(['keep', 'p', '-n']);
    const child = spawn('bash', ['-e'], { cwd: folder });
    child.stdin.end(out);
    expect((await ended(child)).code).toBe(0);
    expect(readFileSync(join(folder, 'p'), 'utf8')).toBe('4096');
  });
  it('dry runs as JSON are steps only', async () => {
    const { out } = await tool(['keep', 'a', '-n', '-o', 'json']);
    expect(records(out).map(({ kind }) => kind)).toEqual(['Step', 'Step']);
  });
});

describe('endings', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends the program it runs, and then itself by that signal',
    async (signal) => {
      const child = start(['keep', 'a', '--sleep']);
      child.stderr?.once('data', () => child.kill(signal));
      expect(await ended(child)).toMatchObject({ signal, code: null });
      expect(readdirSync(folder)).toEqual([]);
    },
  );
  it('a reader that went away ends it quietly with 141', async () => {
    const child = start(['keep', 'a', '--flood', '5000']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const [err, [code]] = await Promise.all([child.stderr ? text(child.stderr) : '', once(child, 'exit')]);
    expect([code, err]).toEqual([141, '']);
  });
  it('a killed one leaves what it had, and the next run converges', async () => {
    const env = { PLATTER_FAULT: 'kill@2' };
    expect(await tool(['keep', 'a'], { env })).toMatchObject({ signal: 'SIGKILL' });
    expect(readdirSync(folder)).toEqual(['a.tmp']);
  });
  it('a full disk is a clear failure with a way out', async () => {
    const { code, err } = await tool(['keep', 'a'], { env: { PLATTER_FAULT: 'enospc@1' } });
    expect([code, err.includes('no space left'), readdirSync(folder)]).toEqual([1, true, []]);
  });
});

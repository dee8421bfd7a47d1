import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { beside } from '../src/beside.ts';
import { Interrupted } from '../src/failure.ts';
import { local } from '../src/local.ts';
import { greeting, run, text } from '../src/looks.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-beside-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Tells its id and that it was ended in order. */
const daemon = (name: string) => {
  const script = 'trap \'echo ended > "$0.end"; exit 0\' TERM; echo $$ > "$0"; while :; do sleep 0.01; done';
  return run('sh', ['-c', script, join(folder, name)]);
};

async function idOf(name: string): Promise<number> {
  const host = local();
  for (;;) {
    const id = await host.query(text(join(folder, name)));
    if (id?.endsWith('\n')) return Number(id);
    await host.query(run('sleep', ['0.01']));
  }
}
const runs = (id: number): boolean => spawnSync('kill', ['-0', String(id)], { stdio: 'ignore' }).status === 0;

describe('a program beside our work', () => {
  it('runs while the work runs, and is asked to end after it', async () => {
    const id = await beside(local(), daemon('a'), async () => {
      const found = await idOf('a');
      expect(runs(found)).toBe(true);
      return found;
    });
    expect([runs(id), existsSync(join(folder, 'a.end'))]).toEqual([false, true]);
  });

  it('ends with work that fails, whose failure is told', async () => {
    const work = beside(local(), daemon('b'), async () => {
      await idOf('b');
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(runs(await idOf('b'))).toBe(false);
  });

  it('that ends by itself ends the work, with its last words', async () => {
    const program = run('sh', ['-c', 'echo out of luck >&2; exit 3']);
    await expect(beside(local(), program, (gone) => gone)).rejects.toMatchObject({
      kind: 'failed',
      message: 'sh ended by itself',
      details: { said: 'out of luck' },
    });
  });

  it('and the work end with a signal', async () => {
    const signal = new AbortController();
    const work = beside(local(signal.signal), daemon('c'), async (gone) => {
      await idOf('c');
      signal.abort();
      return gone;
    });
    await expect(work).rejects.toBeInstanceOf(Interrupted);
    expect(runs(await idOf('c'))).toBe(false);
  });
});

describe('a greeting', () => {
  const path = join(folder, 'socket');

  it.each([
    ['NBDMAGIC', 'NBDMAGIC'],
    ['', ''],
  ])('of a server that says %j', async (said, heard) => {
    const server = createServer((socket) => socket.end(said)).listen(path);
    try {
      expect(await local().query(greeting(path))).toBe(heard);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('is null where nobody listens', async () => {
    expect(await local().query(greeting(path))).toBeNull();
    writeFileSync(path, '');
    expect(await local().query(greeting(path))).toBeNull();
  });
});

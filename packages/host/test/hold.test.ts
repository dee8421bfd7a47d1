import { appendFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ShortRead } from '@platter/qcow2/source';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { succeed } from '../../../e2e/ground/run.ts';
import { differ } from '../src/differ.ts';
import { Interrupted } from '../src/failure.ts';
import { type Held, hold, holder, source } from '../src/hold.ts';
import { local } from '../src/local.ts';
import { fill } from '../src/looks.ts';

let dir: string;
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};
const kindOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as { kind?: string }).kind;
  }
  return 'none';
};

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'platter-hold-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('hold', () => {
  it('says what it opened', () => {
    const held = hold(file('a', 'twelve bytes'));
    expect(held).toMatchObject({ kind: 'file', device: null, size: 12, sectorSize: 4096, direct: null });
    expect(held.same()).toBe(true);
    held.close();
  });

  it('refuses what is missing, a link, a directory and a FIFO without blocking on it', async () => {
    symlinkSync(file('goal', 'x'), join(dir, 'link'));
    await succeed(['mkfifo', join(dir, 'fifo')]);
    for (const name of ['missing', 'link', '.', 'fifo'])
      expect([name, kindOf(() => hold(join(dir, name)))]).toEqual([name, 'refused']);
    const held = hold(join(dir, 'link'), { noFollow: false });
    expect(held.size).toBe(1);
    held.close();
  });

  it('notices that the file was written', () => {
    const path = file('changing', 'x');
    const held = hold(path);
    appendFileSync(path, 'y');
    expect(held.same()).toBe(false);
    held.close();
  });

  it('reads exactly what is asked for, or rejects ShortRead', async () => {
    const held = hold(file('read', 'twelve bytes'));
    expect(Buffer.from(await source(held).read(7, 5)).toString()).toBe('bytes');
    await expect(source(held).read(7, 6)).rejects.toThrow(ShortRead);
    held.close();
  });
});

describe('fill', () => {
  it('reads into a buffer of ours, and is busy when the file has become shorter', async () => {
    const held = hold(file('filled', 'twelve bytes'));
    const into = Buffer.alloc(5);
    await local().query(fill(held, into, 7));
    expect(into.toString()).toBe('bytes');
    await expect(local().query(fill(held, into, 8))).rejects.toMatchObject({ kind: 'busy' });
    held.close();
  });

  it('hears a signal between two reads of a long comparison', async () => {
    const [from, to] = ['same', 'alike'].map((name) => hold(file(name, Buffer.alloc(2 ** 22))));
    if (from === undefined || to === undefined) throw new Error('two files were to be opened');
    const signal = new AbortController();
    const meter = () => ({ update: () => signal.abort(), end: () => {} });
    const compared = differ(local(signal.signal), { from, to }, { method: 'content', meter });
    await expect(compared).rejects.toThrow(Interrupted);
    from.close();
    to.close();
  });
});

describe('the descriptors of readers', () => {
  const contents = Array.from({ length: 20 }, (_, n) => `file ${n}`);
  const texts = (helds: readonly Held[]) =>
    Promise.all(helds.map(async (held) => Buffer.from(await source(held).read(0, held.size)).toString()));

  it('are closed and opened again within the limit', async () => {
    const take = holder(3);
    const helds = contents.map((text, n) => take(file(`limited-${n}`, text)));
    expect(await texts(helds)).toEqual(contents);
    expect(new Set(helds.map(({ fd }) => fd)).size).toBeLessThanOrEqual(3);
    for (const held of helds) held.close();
  });

  it('stay open while pinned', () => {
    const take = holder(1);
    const first = take(file('pinned', 'x'));
    const unpin = first.pin();
    const { fd } = first;
    const second = take(file('other', 'y'));
    expect(second.fd).not.toBe(fd);
    expect(first.fd).toBe(fd);
    unpin();
    first.close();
    second.close();
  });

  it('never become those of another file at the same path', async () => {
    const take = holder(1);
    const path = file('swapped', 'old');
    const held = take(path);
    take(file('evicts', 'x'));
    renameSync(file('new', 'new'), path);
    await expect(source(held).read(0, 3)).rejects.toMatchObject({ kind: 'corrupt' });
  });

  it('are enough for 200 files where the process may have 64 open, workers included', async () => {
    const script = fileURLToPath(import.meta.resolve('./many-held.ts'));
    const told = await succeed(['prlimit', '--nofile=64', '--', process.execPath, script, dir]);
    expect(told.trim()).toBe('200 files read and poured');
  });
});

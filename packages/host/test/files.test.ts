import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chmod, copy, create, link, mkdir, remove, removeDir, rename, sync, truncate, write } from '../src/changes.ts';
import type { Change } from '../src/door.ts';
import { errno, Failure, Interrupted } from '../src/failure.ts';
import { local } from '../src/local.ts';
import { bytes, list, lstat, readlink, realpath, space, stat, text } from '../src/looks.ts';
import { createWhole, replaceWhole } from '../src/whole.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-files-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const host = local();
const code = (done: Promise<unknown>) => done.then(() => 'done', errno);

describe('changes', () => {
  it('create makes a new file with its mode whatever the umask, and never writes over one', async () => {
    const umask = process.umask(0o077);
    await host.change(create(at('new'), 'a', 0o644));
    process.umask(umask);
    expect(statSync(at('new')).mode & 0o777).toBe(0o644);
    expect(await code(host.change(create(at('new'), 'b', 0o644)))).toBe('EEXIST');
    expect(readFileSync(at('new'), 'utf8')).toBe('a');
  });
  it('write truncates what is there and does not follow a link', async () => {
    await host.change(write(at('w'), 'long words', 0o600));
    await host.change(write(at('w'), 'short', 0o600));
    symlinkSync(at('w'), at('l'));
    expect([readFileSync(at('w'), 'utf8'), await code(host.change(write(at('l'), 'x', 0o600)))]).toEqual([
      'short',
      'ELOOP',
    ]);
  });
  it('link fails on a taken name, rename replaces it', async () => {
    await host.change(create(at('a'), 'a', 0o600));
    await host.change(create(at('b'), 'b', 0o600));
    expect(await code(host.change(link(at('a'), at('b'))))).toBe('EEXIST');
    await host.change(rename(at('a'), at('b')));
    expect(readFileSync(at('b'), 'utf8')).toBe('a');
  });
  it('remove of nothing is no failure; a directory with entries stays', async () => {
    await host.change(remove(at('nothing')));
    await host.change(mkdir(at('d'), 0o700));
    await host.change(create(at('d/x'), '', 0o600));
    expect(await code(host.change(removeDir(at('d'))))).toBe('ENOTEMPTY');
    await host.change(remove(at('d/x')));
    await host.change(removeDir(at('d')));
    expect(await host.query(stat(at('d')))).toBeNull();
  });
  it('truncate, chmod, sync and a sparse copy', async () => {
    await host.change(create(at('s'), 'x', 0o600));
    await host.change(truncate(at('s'), 1 << 20));
    await host.change(chmod(at('s'), 0o400));
    await host.change(copy(at('s'), at('t')));
    await host.change(sync(folder));
    expect(await host.query(stat(at('t')))).toMatchObject({ size: 1 << 20, mode: 0o400, kind: 'file' });
    expect((await host.query(stat(at('t'))))?.allocated).toBeLessThan(1 << 17);
  });
  it('a file is replaced whole, and made whole only under a free name', async () => {
    const file = { path: at('whole'), temp: at('.whole.tmp'), mode: 0o640 };
    writeFileSync(file.temp, 'of a crash');
    await createWhole(host, { ...file, data: '1' });
    expect(await code(createWhole(host, { ...file, data: '2' }))).toBe('EEXIST');
    await replaceWhole(host, { ...file, data: '3' });
    expect([readFileSync(file.path, 'utf8'), await host.query(stat(file.temp))]).toEqual(['3', null]);
  });
  it.for([createWhole, replaceWhole])(
    '%o leaves no temporary, whichever change fails or is interrupted',
    async (place) => {
      const file = { path: at('placed'), temp: at('.placed.tmp'), mode: 0o640, data: 'x' };
      const failing = (n: number, error: Error) => {
        let count = 0;
        const once = async (change: Change) => {
          count += 1;
          if (count === n) throw error;
          return host.change(change);
        };
        return { ...host, change: once } as typeof host;
      };
      for (const error of [new Failure('failed', 'full'), new Interrupted()])
        for (const n of [2, 3, ...(error instanceof Interrupted ? [4] : [])]) {
          await place(failing(n, error), file).catch(() => {});
          expect(await host.query(stat(file.temp)), `${error.name} at ${n}`).toBeNull();
          await host.change(remove(file.path));
        }
    },
  );
});

describe('looks', () => {
  it('absence is an answer, a failure is not', async () => {
    const missing = at('none/none');
    for (const look of [stat, lstat, text, bytes, list, realpath, readlink])
      expect(await host.query(look(missing))).toBeNull();
    await expect(host.query(text(folder))).rejects.toThrow('could not read');
  });
  it('stat follows, lstat does not; numbers are exact', async () => {
    symlinkSync(folder, at('to'));
    expect((await host.query(stat(at('to'))))?.kind).toBe('dir');
    expect((await host.query(lstat(at('to'))))?.kind).toBe('link');
    expect(await host.query(readlink(at('to')))).toBe(folder);
    expect((await host.query(stat(folder)))?.mtimeNs).toBe(statSync(folder, { bigint: true }).mtimeNs);
  });
  it('lists in byte order with kinds', async () => {
    await host.change(mkdir(at('ls'), 0o700));
    for (const name of ['é', 'b', 'a~']) writeFileSync(at(`ls/${name}`), '');
    symlinkSync('x', at('ls/Z'));
    const names = (await host.query(list(at('ls'))))?.map(({ name, kind }) => `${kind} ${name}`);
    expect(names).toEqual(['link Z', 'file a~', 'file b', 'file é']);
  });
  it('free space is within the total', async () => {
    const { free, total } = await host.query(space(folder));
    expect(free > 0 && free <= total).toBe(true);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { local } from '../src/local.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));
const host = local();
const holder = { tool: 'reflink-pool', verb: 'stop', pid: 41, host: 'here', since: '2026-11-20T18:00:00Z' };
const lock = (path: string, more: object = {}) => ({ op: 'lock', path, holder, ...more }) as const;

describe('locks', () => {
  it('the second asker is told who holds it, until it is released', async () => {
    const path = join(folder, 'a');
    const first = await host.change(lock(path));
    const refused = host.change(lock(path));
    await expect(refused).rejects.toMatchObject({
      kind: 'busy',
      details: { by: 'reflink-pool stop, pid 41 on here, since 2026-11-20T18:00:00Z' },
    });
    first.release();
    const second = await host.change(lock(path, { holder: { ...holder, pid: 42 } }));
    expect([JSON.parse(second.previous).pid, JSON.parse(readFileSync(path, 'utf8')).pid]).toEqual([41, 42]);
    second.release();
  });

  it('shared ones live together and keep an exclusive one out', async () => {
    const path = join(folder, 'b');
    const readers = [await host.query(lock(path, { shared: true })), await host.query(lock(path, { shared: true }))];
    await expect(host.change(lock(path))).rejects.toMatchObject({ kind: 'busy' });
    for (const reader of readers) reader.release();
    (await host.change(lock(path))).release();
  });

  it('a reader needs no right to write, and opens only for reading', async () => {
    const path = join(folder, 'readonly');
    writeFileSync(path, '', { mode: 0o444 });
    const reader = await host.query({ op: 'lock', path, shared: true });
    expect(readFileSync(`/proc/self/fdinfo/${reader.fd}`, 'utf8')).toMatch(/^flags:\s+\d*0$/m);
    reader.release();
  });

  it('waits as long as it was told to', async () => {
    const path = join(folder, 'c');
    const first = await host.change(lock(path));
    setTimeout(() => first.release(), 100);
    (await host.change(lock(path, { wait: 5000 }))).release();
  });

  it('a directory is locked as it is', async () => {
    const request = { op: 'lock', path: folder } as const;
    const first = await host.change(request);
    await expect(host.change(request)).rejects.toMatchObject({ kind: 'busy' });
    first.release();
  });

  it('a lock file that its holder unlinked locks nobody out of the new one', async () => {
    const path = join(folder, 'd');
    const first = await host.change(lock(path));
    unlinkSync(path);
    const second = await host.change(lock(path));
    await expect(host.change(lock(path))).rejects.toMatchObject({ kind: 'busy' });
    first.release();
    second.release();
  });

  it('dies with a killed holder', async () => {
    const path = join(folder, 'e');
    const source = `import { local } from '${join(import.meta.dirname, '../src/local.ts')}';
      await local().change({ op: 'lock', path: '${path}', holder: {} }); console.log('held'); setInterval(() => {}, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    await expect(host.change(lock(path))).rejects.toMatchObject({ kind: 'busy' });
    other.kill('SIGKILL');
    await once(other, 'close');
    (await host.change(lock(path))).release();
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Change, Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { shown } from '@platter/host/shown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attach } from '../../../e2e/ground/loops.ts';
import { done, tool } from '../test/tool.ts';
import { Bench, newest } from './repository.ts';

const bench = new Bench();
beforeAll(() => bench.make());
afterAll(() => bench.dispose());

const address = 'default/db/data@latest';

/** A machine that remembers what was changed. */
function watching(): { host: Host; changes: Change[] } {
  const machine = local();
  const changes: Change[] = [];
  const host: Host = {
    dry: false,
    query: (query) => machine.query(query),
    change: (change) => {
      changes.push(change);
      return machine.change(change);
    },
  };
  return { host, changes };
}

const told = (change: Change): string => {
  if (change.op === 'sync') return 'fsync';
  if (change.op !== 'pour') return shown(change).split(' ').slice(0, 3).join(' ');
  const head = change.pieces.every(({ at, length }) => at + length <= 2 ** 20);
  return `${change.pieces[0]?.from === 'zeros' ? 'zero' : 'pour'} ${head ? 'head' : 'body'}`;
};

describe('order', () => {
  it('of a restore to a device: head blank and durable, zeros, body, durable, head, durable', async () => {
    const file = join(bench.folder, 'target');
    writeFileSync(file, new Uint8Array(64 * 65_536).fill(0xff));
    await using target = await attach(file);
    const { host, changes } = watching();
    await tool(['restore', address, '--repo', bench.good, '--to', target.device], { host });
    expect(changes.map(told)).toEqual([
      'zero head',
      'fsync',
      'blkdiscard -z -f',
      'pour body',
      'fsync',
      'pour head',
      'fsync',
    ]);
    for (const change of changes)
      if (change.op === 'pour')
        for (const { from, sha256 } of change.pieces) expect(from === 'zeros' || sha256 !== null).toBe(true);
  });

  it('of a capture: files durable and read back, put in place, then the manifest, then the set', async () => {
    const f = bench.copy();
    const image = join(bench.folder, 'again.raw');
    writeFileSync(image, new Uint8Array(64 * 65_536).fill(1));
    const { host, changes } = watching();
    await tool(['capture', '--repo', f.root, '--vm', 'db', `data=${image}`, '--format', 'raw'], { host });
    const names = changes.map((change) =>
      change.op === 'rename' || change.op === 'link'
        ? `${change.op} ${change.to.replace(/.*\/(data|points|sets)\/.*/, '$1')}`
        : change.op,
    );
    const order = ['sync', 'rename data', 'rename data', 'sync', 'link points', 'sync', 'link sets', 'sync'];
    expect(names.filter((name) => /sync|rename|link/.test(name)).slice(1)).toEqual(order);
  });
});

describe('words', () => {
  it('of qemu-img: no cache, no new target, a chain without names over descriptors', async () => {
    const file = join(bench.folder, 'by-qemu');
    const { host, changes } = watching();
    await tool(['restore', address, '--repo', bench.good, '--file', '--to', file, '--engine', 'qemu'], { host });
    const line = changes.map(shown).find((one) => one.includes('qemu-img')) ?? '';
    expect(line).toContain('convert -p -n -t none -T writeback -m 16 -W -O raw');
    expect(line).toContain('"filename":"/proc/self/fd/6"');
    expect(line.match(/"backing":null/g)).toHaveLength(1);
    expect(line).not.toMatch(/ -U| -B|salvage/);
    expect(readFileSync(file).equals(newest())).toBe(true);
  });

  it('of the script: -F always, oldest first, names beside it, paths in single quotes', async () => {
    const to = join(bench.folder, "-it's\nhere");
    const { text } = await tool(['restore', address, '--repo', bench.good, '--file', '--to', to, '--plan=sh']);
    const lines = text.join('').split('\n');
    expect(lines.filter((line) => line.includes('rebase'))).toEqual(
      [1, 2, 3].map((n) => `qemu-img rebase -u -f qcow2 -F qcow2 -b ${n - 1}.qcow2 "$scratch/${n}.qcow2"`),
    );
    expect(text.join('')).toContain(`'${to.replace("'", `'\\''`)}'`);
    expect(lines[0]).toBe('#!/bin/sh');
  });

  it('of a dry run: the json: form, and nothing happens', async () => {
    const file = join(bench.folder, 'never');
    const { steps, records: none } = await tool([
      'restore',
      address,
      '--repo',
      bench.good,
      '--file',
      '--to',
      file,
      '-n',
    ]);
    expect(steps[0]).toMatch(/^qemu-img convert -n -t none -T writeback -m 16 -W -O raw 'json:/);
    expect(none).toEqual([]);
  });
});

describe('records', () => {
  it('are what their schemas say', async () => {
    const f = bench.copy();
    const image = join(bench.folder, 'schema.raw');
    writeFileSync(image, new Uint8Array(64 * 65_536).fill(2));
    const runs = [
      ['capture', '--repo', f.root, '--vm', 'db', `data=${image}`, '--format', 'raw', '--verify'],
      ['list', '--repo', f.root],
      ['list', '--repo', f.root, '--points', '--all'],
      ['show', 'default/db@latest', '--repo', f.root],
      ['validate', '--repo', f.root],
      ['plan', address, '--repo', f.root, '--extents'],
      ['restore', address, '--repo', f.root, '--file', '--to', join(bench.folder, 'schema.img')],
    ];
    const seen = new Set<string>();
    for (const argv of runs) for (const { kind } of (await done(argv)).records) seen.add(String(kind));
    expect([...seen].sort()).toEqual(['BackupPoint', 'BackupSet', 'Extent', 'Restore', 'RestorePlan', 'Validation']);
  });
});

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hold } from '@platter/host/hold';
import { type Facts, output, scripted } from '@platter/host/scripted';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Closer, inspect } from '../src/inspect.ts';
import { targetOf } from '../src/target.ts';
import { type Demand, verify } from '../src/verify.ts';
import { callOn } from './fixture/call.ts';
import { file } from './fixture/disks.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-tools-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A machine on which /disks/d holds these bytes. */
function holding(content: string | Uint8Array, more: Facts = {}): Facts {
  const path = join(folder, 'image');
  writeFileSync(path, content);
  const held = hold(path);
  const found = file({ dev: held.dev, ino: held.ino, size: held.size });
  const facts = { 'stat /disks/d': found, 'realpath /disks/d': '/disks/d', 'hold /disks/d': held };
  return { ...facts, 'text /proc/locks': '', 'list /sys/block': [], ...more };
}

const inspected = async (facts: Facts, closer: Partial<Closer> = {}) => {
  const host = scripted(facts);
  const { call, said } = callOn(host, {});
  const asked = { format: undefined, scan: false, ...closer };
  const failure = await inspect(call, targetOf('/disks', 'd'), asked).catch((error) => error);
  return { failure, record: said.records[0], looks: host.looks, changes: host.changes };
};

const demand: Demand = {
  label: undefined,
  fs: undefined,
  'min-size': undefined,
  'from-format': undefined,
  fsck: true,
  scratch: undefined,
  digest: true,
};
const verified = async (facts: Facts, more: Partial<Demand> = {}) => {
  const host = scripted(facts);
  const { call, said } = callOn(host, {});
  const failure = await verify(call, targetOf('/disks', 'd'), { ...demand, ...more }).catch((error) => error);
  return { failure, record: said.records[0], changes: host.changes };
};

const vmdk = Buffer.concat([Buffer.from('KDMV'), Buffer.alloc(1000)]);
const missing: Facts = { 'stat /disks/d': null };

describe('inspect', () => {
  it('looks at the path and at /proc/locks, and at nothing else', async () => {
    const { failure, record, looks, changes } = await inspected(holding(new Uint8Array(4096)), { format: 'raw' });
    expect(failure).toBeUndefined();
    expect(looks).toEqual(['stat /disks/d', 'realpath /disks/d', 'stat /disks/d', 'hold /disks/d', 'text /proc/locks']);
    expect(changes).toEqual([]);
    expect(record).toMatchObject({ format: 'raw', virtualSize: 4096, layout: 'none', filesystems: [] });
  });

  it('says of a VMDK that it is one, and that nothing else was judged', async () => {
    const { record } = await inspected(holding(vmdk));
    expect(record).toMatchObject({
      format: 'vmdk',
      findings: [],
      warnings: [expect.stringContaining('nothing else in it was read')],
    });
  });

  it.each([
    ['nothing', missing, {}, 'refused', 'there is nothing'],
    [
      'a directory',
      { ...missing, 'stat /disks/d': { ...file(), kind: 'dir' }, 'realpath /disks/d': '/disks/d' },
      {},
      'refused',
      'a directory',
    ],
    [
      'a dangling link',
      { 'stat /disks/d': { ...file(), kind: 'link' }, 'realpath /disks/d': null },
      {},
      'refused',
      'a symbolic link to nothing',
    ],
  ] as [string, Facts, Partial<Closer>, string, string][])('refuses %s', async (_, facts, closer, kind, says) => {
    const { failure } = await inspected(facts, closer);
    expect([failure.kind, failure.message]).toEqual([kind, expect.stringContaining(says)]);
  });

  it.each([
    ['text', {}, 'refused', 'not recognised'],
    ['vhdxfile', {}, 'refused', 'a VHDX image'],
    [vmdk, { format: 'raw' }, 'refused', 'it is vmdk, not raw'],
    ['QFI\xfb', { format: 'raw' }, 'refused', 'it is qcow2, not raw'],
    ['QFI\xfb', {}, 'corrupt', 'ends inside its header'],
  ] as [string | Uint8Array, Partial<Closer>, string, string][])(
    'refuses content %j asked %j',
    async (content, closer, kind, says) => {
      const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
      const { failure, changes } = await inspected(holding(bytes), closer);
      expect([failure.kind, failure.message, changes]).toEqual([kind, expect.stringContaining(says), []]);
    },
  );

  it('refuses a file that was replaced while it was looked at', async () => {
    const facts = holding(new Uint8Array(512));
    const found = facts['stat /disks/d'] as ReturnType<typeof file>;
    const { failure } = await inspected(
      { ...facts, 'stat /disks/d': { ...found, ino: found.ino + 1n } },
      { format: 'raw' },
    );
    expect(failure.kind).toBe('busy');
  });
});

describe('verify', () => {
  it.each([
    ['nothing', missing, {}, 'refused', 'there is nothing'],
    ['text', () => holding('text'), {}, 'refused', 'not recognised'],
    ['a VMDK', () => holding(vmdk), {}, 'refused', 'which nobody here judges'],
    ['a VMDK called raw', () => holding(vmdk), { 'from-format': 'raw' }, 'refused', 'it is vmdk, not raw'],
    ['an archive', () => holding('BZh9'), {}, 'refused', 'a bzip2 archive'],
    [
      'a half header',
      () => holding(Buffer.from('QFI\xfb\0\0\0\x03', 'latin1')),
      {},
      'corrupt',
      'ends inside its header',
    ],
    [
      'no filesystem where one is expected',
      () => holding(new Uint8Array(4096)),
      { 'from-format': 'raw', label: 'x' },
      'refused',
      'it holds no filesystem, not a filesystem "x"',
    ],
    [
      'a small disk',
      () => holding(new Uint8Array(4096)),
      { 'from-format': 'raw', 'min-size': 4097 },
      'refused',
      'less than',
    ],
  ] as [string, Facts | (() => Facts), Partial<Demand>, string, string][])(
    'refuses %s and starts nothing',
    async (_, facts, more, kind, says) => {
      const { failure, changes } = await verified(typeof facts === 'function' ? facts() : facts, more);
      expect([failure.kind, failure.message, changes]).toEqual([kind, expect.stringContaining(says), []]);
    },
  );

  it('names the content of a raw disk where the filesystem does not tell its holes', async () => {
    const bytes = new Uint8Array(4 * 65_536).fill(7, 65_536, 65_537);
    const silent = { 'filefrag -s -v -b1 -- /proc/self/fd/3': output({ code: 1 }) };
    const { record } = await verified(holding(bytes, silent), { 'from-format': 'raw', fsck: false });
    const chunk = Buffer.alloc(65_536).fill(7, 0, 1);
    const content = createHash('sha256').update('platter-content/1 262144\n');
    content.update(Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])).update(createHash('sha256').update(chunk).digest());
    expect(record).toMatchObject({ action: 'verified', contentSha256: content.digest('hex') });
  });
});

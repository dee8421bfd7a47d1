import { Failure } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../src/hash.ts';
import { manifestChangeRecord, manifestRecord } from '../src/records.ts';
import { say } from './said.ts';
import { dir, machine, type World } from './world.ts';

const map = (name: string, value = 'x') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ns}\ndata: {v: ${value}}\n`;
const job = `apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: ns}\nspec: {template: {spec: {containers: []}}}\n`;
const every = '/var/lib/y-cluster/manifests-staging';
const first = '/var/lib/y-cluster/manifests-first-boot';
const k3s = '/var/lib/rancher/k3s/server/manifests';
const base: World = { '/var/lib': dir, '/here/a.yaml': map('a') };
const hash = (text: string) => sha256(new TextEncoder().encode(text));
const eacces = () => {
  throw new Failure('failed', 'could not look: permission denied', { cause: { code: 'EACCES' } });
};
const temp = (folder: string, name: string) => `${folder}/.${name}.yaml.4242-abababababab.tmp`;

describe('the changes of each verb', () => {
  it('add makes the folders, a whole temporary, and links it', async () => {
    const host = machine(base);
    const { code, records, texts } = await say(host, 'add a a.yaml');
    expect(code).toBe(0);
    expect(host.changes).toEqual([
      'mkdir -m 0755 -- /var/lib/y-cluster',
      'sync -- /var/lib',
      `mkdir -m 0755 -- ${every}`,
      'sync -- /var/lib/y-cluster',
      `rm -f -- ${temp(every, 'a')}`,
      `install -m 0644 /dev/null ${temp(every, 'a')} && printf %s '${map('a')}' > ${temp(every, 'a')}`,
      `ln -T -- ${temp(every, 'a')} ${every}/a.yaml`,
      `rm -f -- ${temp(every, 'a')}`,
      `sync -- ${every}`,
    ]);
    expect(texts).toEqual([`a  added  every-boot  ${every}/a.yaml  ${map('a').length} bytes`]);
    expect(manifestChangeRecord.parse(records[0])).toMatchObject({
      changed: true,
      previousSha256: null,
      sha256: hash(map('a')),
    });
  });
  it('replace renames over the old one and keeps its mode', async () => {
    const host = machine({ ...base, [`${first}/a.yaml`]: map('a', 'old'), [every]: dir });
    const { records } = await say(host, 'replace a a.yaml');
    expect(host.changes).toEqual([
      `rm -f -- ${temp(first, 'a')}`,
      `install -m 0644 /dev/null ${temp(first, 'a')} && printf %s '${map('a')}' > ${temp(first, 'a')}`,
      `mv -T -- ${temp(first, 'a')} ${first}/a.yaml`,
      `sync -- ${first}`,
    ]);
    expect(manifestChangeRecord.parse(records[0])).toMatchObject({
      action: 'replaced',
      mode: 'first-boot',
      previousSha256: hash(map('a', 'old')),
    });
  });
  it('rm unlinks and flushes the folder', async () => {
    const host = machine({ ...base, [`${every}/a.yaml`]: map('a') });
    const { records, texts } = await say(host, 'rm a');
    expect(host.changes).toEqual([`rm -f -- ${every}/a.yaml`, `sync -- ${every}`]);
    expect(manifestChangeRecord.parse(records[0])).toMatchObject({ action: 'removed', sha256: hash(map('a')) });
    expect(texts).toEqual([`a  removed  every-boot  ${every}/a.yaml  ${map('a').length} bytes`]);
  });
  it('the same again changes nothing', async () => {
    const host = machine({ ...base, [`${every}/a.yaml`]: map('a') });
    for (const line of ['add a a.yaml', 'replace a a.yaml', `replace a a.yaml --if-sha ${'0'.repeat(64)}`]) {
      const { code, records } = await say(host, line);
      expect([code, records[0]?.action, records[0]?.changed]).toEqual([0, 'unchanged', false]);
    }
    expect(host.changes).toEqual([]);
  });
  it('what a killed run left is swept, what a living one writes is not', async () => {
    const [dead, alive, foreign] = [`${every}/.a.yaml.17-ab.tmp`, `${every}/.a.yaml.18-ab.tmp`, `${every}/.a.yaml.swp`];
    const host = machine({
      ...base,
      [`${every}/a.yaml`]: map('a'),
      [dead]: '',
      [alive]: '',
      [foreign]: '',
      '/proc/18': dir,
    });
    await say(host, 'add a a.yaml');
    expect(host.changes).toEqual([`rm -f -- ${dead}`]);
  });
  it('below a root all paths are the root’s, and stay in it for people', async () => {
    const host = machine({ '/mnt/image': dir, '/here/a.yaml': map('a') });
    const { texts } = await say(host, 'add a a.yaml --root /mnt/image --dir /d');
    expect(host.changes.slice(0, 3)).toEqual([
      'mkdir -m 0755 -- /mnt/image/d',
      'sync -- /mnt/image',
      'mkdir -m 0755 -- /mnt/image/d/manifests-staging',
    ]);
    expect(texts[0]).toContain('  /d/manifests-staging/a.yaml  ');
    expect((await say(machine({ '/here/i': dir, '/here/a.yaml': map('a') }), 'add a a.yaml --root i')).code).toBe(0);
  });
  it('keeps a byte order mark and the ends of lines', async () => {
    const host = machine(base);
    await say(host, 'add a -', { stdin: `\ufeff${map('a').replaceAll('\n', '\r\n')}` });
    expect(host.changes.find((change) => change.startsWith('install'))).toContain(`'\ufeffapiVersion: v1\r\n`);
  });
  it('a folder that appears before we have our lock is locked too, in order', async () => {
    const locks: string[] = [];
    const note = (path: string) => () => {
      locks.push(path);
      return { fd: -1, path, previous: '', release: () => locks.push(`release ${path}`) };
    };
    const facts = {
      [`stat ${every}`]: () => (locks.length === 0 ? null : { kind: 'dir' }),
      [`# lock ${every}`]: note('every'),
      [`# lock ${first}`]: note('first'),
    };
    const { code } = await say(machine({ ...base, [first]: dir }, facts), 'add j - --first-boot', { stdin: job });
    expect([code, locks]).toEqual([0, ['first', 'release first', 'every', 'first', 'release first', 'release every']]);
  });
  it('a folder that others remove before we have its lock is made and locked again', async () => {
    let tries = 0;
    const lock = () => {
      tries += 1;
      if (tries === 1) throw new Failure('failed', 'could not open the lock', { cause: { code: 'ENOENT' } });
      return { fd: -1, path: every, previous: '', release: () => {} };
    };
    const host = machine({ ...base, [every]: dir }, { [`# lock ${every}`]: lock });
    expect([(await say(host, 'add a a.yaml')).code, tries]).toEqual([0, 2]);
  });
  it('a folder that others make before we do is taken as it is', async () => {
    let made = false;
    const facts = {
      [`stat ${every}`]: () => (made ? { kind: 'dir' } : null),
      [`mkdir -m 0755 -- ${every}`]: () => {
        made = true;
        throw new Failure('failed', 'could not make it', { cause: { code: 'EEXIST' } });
      },
    };
    expect((await say(machine({ ...base, '/var/lib/y-cluster': dir }, facts), 'add a a.yaml')).code).toBe(0);
  });
  it('takes what a pipe brings', async () => {
    const host = machine(base);
    expect((await say(host, 'add j - --first-boot', { stdin: job })).code).toBe(0);
    expect(host.changes).toContain(`ln -T -- ${temp(first, 'j')} ${first}/j.yaml`);
  });
});

describe('refusals: the exit code, and nothing is changed', () => {
  const staged = { ...base, [`${every}/a.yaml`]: map('a', 'other') };
  const cases: [string, World, string, number, string, string?][] = [
    ['a bad name', base, 'add a;b a.yaml', 2, ''],
    ['a name that climbs', base, 'add ../a a.yaml', 2, ''],
    ['a bad name to rm', base, 'rm -- -a', 2, ''],
    ['a missing input', base, 'add a b.yaml', 2, 'there is no file b.yaml'],
    ['a directory as input', base, 'add a /var/lib', 2, 'a directory'],
    ['a device as input', { ...base, '/here/d': { kind: 'char' } }, 'add a d', 2, 'a character device'],
    ['a URL', base, 'add a https://example.com/a.yaml', 2, 'is a URL'],
    ['empty input', base, 'add a -', 2, 'stdin:1:1: G101', ''],
    ['comments only', base, 'add a -', 2, 'stdin:1:1: G101', '# a\n'],
    ['too much input', base, 'add a -', 2, '16 MiB', `#${' '.repeat(16 * 1024 * 1024)}`],
    ['not YAML', base, 'add a -', 2, 'stdin:2:1: G101', 'a: [1\nb: 2'],
    ['a broken rule', base, 'add a -', 2, 'G106', map('a').replace('namespace: ns', 'namespace: ns, labels: {a: on}')],
    ['a broken rule of the consumer', base, 'add a_b a.yaml', 2, 'a.yaml:1:1: K101'],
    [
      'a broken rule of first boot',
      base,
      'add a - --first-boot',
      2,
      'F601',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n',
    ],
    [
      'a broken rule for the mode it has',
      { ...base, [`${first}/a.yaml`]: job },
      'replace a -',
      2,
      'F601',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n',
    ],
    ['a relative folder', base, 'list --dir x', 2, 'absolute'],
    ['a folder that climbs', base, 'list --dir /a/../b', 2, 'absolute'],
    ['a hash that is none', base, 'rm a --if-sha 12', 2, 'SHA-256'],
    ['add of another content', staged, 'add a a.yaml', 3, 'it is staged with other content'],
    ['add in the other mode', staged, 'add a - --first-boot', 3, 'the name is staged as every-boot', job],
    ['replace of nothing', base, 'replace a a.yaml', 3, 'it is not staged'],
    ['replace in the other mode', staged, 'replace a - --first-boot', 3, 'it is staged as every-boot', job],
    ['replace after a change', staged, `replace a a.yaml --if-sha ${hash(map('a'))}`, 3, 'somebody changed it'],
    ['rm of nothing', base, 'rm a', 3, 'nothing to remove'],
    ['rm after a change', staged, `rm a --if-sha ${hash(map('a'))}`, 3, 'somebody changed it'],
    ['show of nothing', base, 'show a', 3, 'not staged'],
    ['a symlink under the name', { ...base, [`${every}/a.yaml`]: { kind: 'link' } }, 'add a a.yaml', 3, 'a symlink'],
    ['a directory under the name', { ...base, [`${every}/a.yaml`]: dir }, 'rm a', 3, 'a directory'],
    [
      'a symlink on the way',
      { ...base, '/var': { kind: 'link' } },
      'add a a.yaml',
      3,
      'will not follow /var: it is a symlink',
    ],
    ['a file on the way', { ...base, '/var/lib/y-cluster': 'x' }, 'list', 3, 'not a plain directory'],
    ['a root that is not there', base, 'list --root /mnt', 3, 'there is no directory /mnt'],
    [
      'a symlink on the way to what is installed',
      { '/i/var/lib/rancher': { kind: 'link' }, '/here/a.yaml': map('a') },
      'add a a.yaml --root /i',
      3,
      '/i/var/lib/rancher',
    ],
    [
      'an installed symlink in an image',
      { [`/i${k3s}/b.yaml`]: { kind: 'link' }, '/here/a.yaml': map('a') },
      'add a a.yaml --root /i',
      3,
      'b.yaml: it is a symlink',
    ],
    [
      'an AddOn of the same name',
      { ...base, [`${every}/a.1.yaml`]: map('b') },
      'add a a.yaml',
      3,
      `AddOn "a" is also ${every}/a.1.yaml`,
    ],
    [
      'an installed AddOn',
      { ...base, [`${k3s}/sub/a.yml`]: map('b') },
      'add a a.yaml',
      3,
      `AddOn "a" is also ${k3s}/sub/a.yml`,
    ],
    ['a reserved AddOn', base, 'add traefik a.yaml', 3, 'one of k3s’s own'.replace('’', "'")],
    [
      'an object of another manifest',
      { ...base, [`${first}/b.yaml`]: map('a') },
      'add a a.yaml',
      3,
      `is also in ${first}/b.yaml`,
    ],
    [
      'an installed object, to replace',
      { ...staged, [`${k3s}/b.yaml`]: map('a') },
      'replace a a.yaml',
      3,
      `is also in ${k3s}/b.yaml`,
    ],
    ['a name nobody may look at', { ...base, [`${every}/a.yaml`]: eacces }, 'add a a.yaml', 1, 'permission denied'],
    ['a name nobody may look at, to remove', { ...base, [`${every}/a.yaml`]: eacces }, 'rm a', 1, 'permission denied'],
    ['an installed folder nobody may look at', { ...base, [k3s]: eacces }, 'add a a.yaml', 1, 'permission denied'],
    ['an input nobody may look at', { ...base, '/here/a.yaml': eacces }, 'add a a.yaml', 1, 'permission denied'],
  ];
  it.for(cases)('%s', async ([, world, line, code, message, stdin]) => {
    const host = machine(world);
    const said = await say(host, line, stdin === undefined ? {} : { stdin });
    expect([said.code, said.records]).toEqual([code, []]);
    expect(said.failure?.message ?? '').toContain(message);
    expect(host.changes).toEqual([]);
  });
  it('a bad name, input or content is refused before the folders are looked at', async () => {
    for (const line of ['add a;b a.yaml', 'add a b.yaml', 'add a_b a.yaml']) {
      const host = machine(base);
      await say(host, line);
      expect(host.looks.filter((look) => look.includes('/var'))).toEqual([]);
    }
  });
  it('too large a file is not read, and neither is too much of a named pipe taken', async () => {
    const large = new Uint8Array(16 * 1024 * 1024 + 1);
    const host = machine(base, { 'stat /here/p': { kind: 'file', size: large.length }, 'bytes /here/p': large });
    expect((await say(host, 'add a p')).code).toBe(2);
    expect(host.looks).toEqual(['stat /here/p']);
    const pipe = { 'stat /here/p': { kind: 'fifo', size: 0 }, 'bytes /here/p': large };
    expect((await say(machine(base, pipe), 'add a p')).failure?.message).toContain('16 MiB');
  });
  it('names every fault of the content, each with its place', async () => {
    const { failure } = await say(machine(base), 'add a_b -', { stdin: `${map('A')}---\n${map('b')}---\n${map('b')}` });
    expect(failure?.message).toContain('stdin:1:1: K101');
    expect(failure?.details.also?.split('\n').map((line) => line.split(' ', 2).join(' '))).toEqual([
      'stdin:3:12: G102',
      'stdin:11:1: G104',
    ]);
  });
});

describe('what is no conflict', () => {
  it.for([
    ['the file that it is handed off to', { [`${k3s}/a.yaml`]: map('a', 'old') }, 'add a a.yaml'],
    ['a file that is skipped', { [`${k3s}/a.yml`]: map('a'), [`${k3s}/a.yml.skip`]: '' }, 'add a a.yaml'],
    ['a file with another extension', { [`${k3s}/a.yaml.bak`]: map('a') }, 'add a a.yaml'],
    ['a file of another consumer', { [`${k3s}/a.b.yaml`]: map('a') }, 'add a a.yaml --consumer rke2'],
    ['an AddOn name with a first-boot manifest', { [`${k3s}/a.b.yaml`]: map('b') }, 'add a a.yaml --first-boot'],
    ['a reserved name without AddOns', {}, 'add traefik a.yaml --consumer none'],
  ] as const)('%s', async ([, world, line]) => expect((await say(machine({ ...base, ...world }), line)).code).toBe(0));
  it('a file nobody can read, which is told', async () => {
    const { code, warnings } = await say(machine({ ...base, [`${k3s}/b.yaml`]: 'a: [' }), 'add a a.yaml');
    expect([code, warnings.length]).toEqual([0, 1]);
    expect(warnings[0]).toContain(`${k3s}/b.yaml: could not tell its objects`);
  });
  it('on a live node links in the consumer’s folder are followed, as it does', async () => {
    const world = { ...base, [`${k3s}/b.yaml`]: { kind: 'link' } };
    expect((await say(machine(world), 'add a a.yaml')).code).toBe(0);
  });
});

describe('a change that fails', () => {
  it.for(['add a a.yaml', 'replace a a.yaml'])('%s on a full disk says so and leaves no temporary', async (line) => {
    const full = () => {
      throw new Failure('failed', 'could not write: no space left on device', { cause: { code: 'ENOSPC' } });
    };
    const write = `install -m 0644 /dev/null ${temp(every, 'a')} && printf %s '${map('a')}' > ${temp(every, 'a')}`;
    const host = machine(
      { ...base, [every]: dir, ...(line.startsWith('add') ? {} : { [`${every}/a.yaml`]: map('a', 'old') }) },
      { [write]: full },
    );
    expect((await say(host, line)).code).toBe(1);
    expect(host.changes.at(-1)).toBe(`rm -f -- ${temp(every, 'a')}`);
    expect(host.changes.filter((change) => /^(ln|mv)/.test(change))).toEqual([]);
  });
  it('somebody who was faster without our lock makes it busy', async () => {
    const taken = () => {
      throw new Failure('failed', 'could not link: the name is taken', { cause: { code: 'EEXIST' } });
    };
    const host = machine({ ...base, [every]: dir }, { [`ln -T -- ${temp(every, 'a')} ${every}/a.yaml`]: taken });
    expect((await say(host, 'add a a.yaml')).code).toBe(4);
  });
});

describe('list and show', () => {
  const world = {
    ...base,
    [`${every}/v0.10.yaml`]: map('a'),
    [`${every}/v0.9.yaml`]: 'no: [yaml',
    [`${first}/x.yaml`]: job,
    [`${every}/.x.yaml.1-a.tmp`]: '',
    [`${every}/notes.txt`]: '',
  };
  it('list shows both modes in natural order, and warns of what it leaves out', async () => {
    const { texts, warnings } = await say(machine(world), 'list');
    expect(texts).toEqual([
      `v0.9   every-boot  ${every}/v0.9.yaml  9 bytes`,
      `v0.10  every-boot  ${every}/v0.10.yaml  ${map('a').length} bytes`,
      `x      first-boot  ${first}/x.yaml  ${job.length} bytes`,
    ]);
    expect(warnings).toEqual([`${every}/notes.txt is not <name>.yaml: left out`]);
  });
  it('records carry the objects; of what cannot be read none, which is told', async () => {
    const { records, warnings } = await say(machine(world), 'list -o json');
    const [, second, third] = records.map((record) => manifestRecord.parse(record));
    expect(second).toMatchObject({ addon: 'v0', sha256: hash(map('a')), modifiedAt: '2026-06-02T08:11:40Z' });
    expect(third?.objects).toEqual([{ apiVersion: 'batch/v1', kind: 'Job', namespace: 'ns', name: 'j' }]);
    expect(warnings[1]).toContain(`${every}/v0.9.yaml:`);
  });
  it('list of nothing is nothing', async () => expect((await say(machine({ '/': dir }), 'list')).texts).toEqual([]));
  it('show prints the bytes as they are, or the record', async () => {
    const crlf = '\ufeffapiVersion: v1\r\nno newline';
    const host = machine({ ...base, [`${every}/a.yaml`]: crlf });
    expect((await say(host, 'show a')).bytes).toEqual(Buffer.from(crlf));
    expect((await say(host, 'show a -o json')).records[0]).toMatchObject({
      kind: 'Manifest',
      bytes: new TextEncoder().encode(crlf).length,
    });
  });
  it('neither changes anything', async () => {
    const host = machine(world);
    for (const line of ['list', 'list -o json', 'show x', 'show v0.9 -o json']) await say(host, line);
    expect(host.changes).toEqual([]);
  });
});

import { copyFileSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dataFile, digestFile, type Fixture, flip, forge, manifestFile, setFile } from '../repository.ts';
import { manifest, text } from './place.ts';
import { always, type Damage, type Name, type Others } from './row.ts';

const path = (n: number) => (f: Fixture) => manifestFile(f, n);
const named = (n: number) => (f: Fixture) => `default/db/data@${f.ids[n]}`;
const repoJson = (f: Fixture): string => join(f.root, 'repo.json');

/** A damage that is found at every level. */
const broken = ([row, what]: Name, make: Damage['make'], blames: Damage['blames']): Damage => ({
  row,
  what,
  make,
  blames,
  codes: always,
});

/** A point of another repository in the place of i1, said to be i1. */
function impostor(f: Fixture, { repository }: Others): void {
  for (const file of [manifestFile(f, 1), dataFile(f, 1), digestFile(f, 1)]) rmSync(file);
  copyFileSync(dataFile(repository, 1), dataFile(f, 1));
  copyFileSync(digestFile(repository, 1), digestFile(f, 1));
  forge(
    manifestFile(repository, 1),
    (m) => {
      const { disk, repo, checkpointChain } = JSON.parse(readFileSync(manifestFile(f, 2), 'utf8'));
      const id = f.ids[1];
      const files = { data: { ...(m.data as object), file: `${id}.0.qcow2` } };
      const digests = { ...(m.digests as object), file: `${id}.0.dig` };
      Object.assign(m, files, { digests, id, disk, repo, checkpointChain: checkpointChain.slice(0, 2) });
      m.parent = { ...(m.parent as object), id: f.ids[0] };
    },
    manifestFile(f, 1),
  );
}

const swapped = (f: Fixture): void => {
  const [a, b] = [manifestFile(f, 1), manifestFile(f, 2)];
  renameSync(a, `${a}.held`);
  renameSync(b, a);
  renameSync(`${a}.held`, b);
};

const newer = (path: string): void =>
  forge(path, (m) => {
    m.format = 'backup-chain/2';
  });

/** Another manifest beside those that are there. */
const another =
  (n: number, [name, change]: readonly [(f: Fixture) => string, object]) =>
  (f: Fixture) =>
    forge(manifestFile(f, n), (m) => Object.assign(m, change), join(f.disk, 'points', name(f)));

const misnamed = (file: string): Damage =>
  broken(
    [24, `the data file of i1 is named ${JSON.stringify(file)} in its manifest`],
    manifest(1, (m) => {
      m.data = { ...(m.data as object), file };
    }),
    () => JSON.stringify(file),
  );

/** Damage to manifests. Unless a bit or a text is changed, their own digests are right again afterwards. */
export const manifests: readonly Damage[] = [
  broken([3, 'the manifests of i1 and i2 are exchanged'], swapped, path(2)),
  broken([6, 'i1 replaced, with its manifest, by a point of another run'], impostor, named(1)),
  broken(
    [6, 'i1 says it was made of another state'],
    manifest(1, (m) => {
      m.stateId = 'a'.repeat(64);
    }),
    named(1),
  ),
  broken([15, 'one bit: the manifest of i1'], (f) => flip(manifestFile(f, 1), 300), path(1)),
  broken(
    [15, 'one bit: disk.json'],
    (f) => flip(join(f.disk, 'disk.json'), 30),
    (f) => join(f.disk, 'disk.json'),
  ),
  broken([15, 'one bit: repo.json'], (f) => flip(repoJson(f), 100), repoJson),
  broken(
    [20, 'the manifest of i1 is cut'],
    text((all) => all.slice(0, 400)),
    path(1),
  ),
  broken(
    [20, 'the manifest of i1 has a key twice'],
    text((all) => all.replace('{\n', '{\n  "sequence": 2,\n')),
    path(1),
  ),
  broken(
    [20, 'the manifest of i1 is formatted anew'],
    text((all) => JSON.stringify(JSON.parse(all))),
    path(1),
  ),
  broken(
    [20, 'the manifest of i1 has a negative size'],
    manifest(1, (m) => {
      m.virtualSize = -65_536;
    }),
    path(1),
  ),
  broken(
    [20, 'the manifest of i1 has a huge number'],
    text((all) => all.replace(/"sequence": 2/, '"sequence": 20000000000000000000000')),
    path(1),
  ),
  {
    row: 21,
    what: 'repo.json has a newer format',
    make: (f) => newer(repoJson(f)),
    codes: [6, 6, 6, 6],
    blames: repoJson,
  },
  {
    row: 21,
    what: 'the manifest of i1 has a newer format',
    make: (f) => newer(manifestFile(f, 1)),
    codes: [6, 6, 6, 6],
    blames: path(1),
  },
  broken(
    [22, 'i1 is its own parent'],
    manifest(1, (m, f) => {
      m.parent = { id: f.ids[1], stateId: m.stateId };
    }),
    named(1),
  ),
  {
    ...broken(
      [22, 'i3 is the parent of i1: a cycle'],
      manifest(1, (m, f) => {
        m.parent = { id: f.ids[3], stateId: m.stateId };
      }),
      named(3),
    ),
    qemu: '-/-/hangs',
    parent: (n) => (n === 1 ? 3 : n - 1),
  },
  broken([22, 'i2 has two children'], another(3, [() => '000009-other.json', { id: 'other', sequence: 9 }]), named(2)),
  broken(
    [22, 'the id of i1 is there twice'],
    another(1, [(f) => `000009-${f.ids[1]}.json`, { sequence: 9 }]),
    named(1),
  ),
  broken(
    [22, 'F has a parent'],
    manifest(0, (m, f) => {
      m.parent = { id: f.ids[1], stateId: 'a'.repeat(64) };
    }),
    named(1),
  ),
  broken(
    [22, 'F is incremental'],
    manifest(0, (m) => {
      m.type = 'incremental';
    }),
    named(0),
  ),
  broken(
    [22, 'i3 tells of another chain'],
    manifest(3, (m) => {
      m.checkpointChain = (m.checkpointChain as string[]).toSpliced(1, 1);
    }),
    named(3),
  ),
  ...['../../x.0.qcow2', '/etc/passwd', '..', 'a\nb.0.qcow2', '-rf.0.qcow2'].map(misnamed),
];

/** Damage to the set of i3; the point in it is sound. */
export const sets: readonly Omit<Damage, 'codes'>[] = [
  { row: 16, what: 'one bit: the manifest of the set', make: (f) => flip(setFile(f), 200), blames: setFile },
  {
    row: 16,
    what: 'the set names a point that is missing',
    make: (f) =>
      forge(setFile(f), (m) => {
        m.members = (m.members as { point: string }[]).map((one) => ({ ...one, point: 'gone' }));
      }),
    blames: () => 'default/db/data@gone',
  },
];

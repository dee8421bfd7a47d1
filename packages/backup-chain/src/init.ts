import { hash } from 'node:crypto';
import type { Call } from '@platter/command/call';
import { create, link, mkdir, remove, rename, sync } from '@platter/host/changes';
import type { Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list, stat, text } from '@platter/host/looks';
import { createWhole } from '@platter/host/whole';
import { formatInstant } from '@platter/units/instant';
import { isTemporary, repoFile, temporary, vmsFolder } from './layout.ts';
import { manifestText, seal } from './manifest.ts';
import { heading } from './publish.ts';
import { openRepository, type Repo } from './repository.ts';

/** What else lies in a folder than what a crashed `init` leaves. */
async function strangers(host: Host, root: string): Promise<string[]> {
  const found = ((await host.query(list(root))) ?? []).map(({ name }) => name).filter((name) => !isTemporary(name));
  const begun = found.includes('vms') && (await host.query(list(vmsFolder(root))))?.length === 0;
  return found.filter((name) => !(name === 'vms' && begun));
}

async function judgeFolder(host: Host, root: string): Promise<void> {
  if ((await host.query(stat(root)))?.kind !== 'dir')
    throw new Failure('refused', `${root} is no directory`, { hint: `mkdir ${root}` });
  const [first] = await strangers(host, root);
  if (first === undefined) return;
  throw new Failure('refused', `will not make a repository of ${root}: it is not empty`, {
    details: { by: first },
    hint: 'choose an empty directory',
  });
}

async function sweepTemporaries(host: Host, root: string): Promise<void> {
  for (const { name } of (await host.query(list(root))) ?? [])
    if (isTemporary(name)) await host.change(remove(`${root}/${name}`));
}

/** Tries what a repository needs of its filesystem: a link, a rename and a lock; 6 names the one that fails. */
async function probe(host: Host, root: string): Promise<void> {
  const [made, linked, renamed] = ['a', 'b', 'c'].map((name) => `${root}/${temporary}probe-${name}`) as [
    string,
    string,
    string,
  ];
  const attempt = async (what: string, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      if (!['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'ENOLCK'].includes(errno(error) ?? '')) throw error;
      throw new Failure('unsupported', `the filesystem of ${root} has no ${what}`, { cause: error });
    }
  };
  try {
    await host.change(create(made, '', 0o600));
    await attempt('hard links', () => host.change(link(made, linked)));
    await attempt('rename', () => host.change(rename(linked, renamed)));
    if (!host.dry) await attempt('file locks', async () => (await host.query({ op: 'lock', path: renamed })).release());
  } finally {
    for (const path of [made, linked, renamed]) await host.change(remove(path));
  }
}

/** Makes a repository of an empty folder, or finds the one that is there (spec 3.1). Linking `repo.json` is the commit. */
export async function init({ host, uuid, now }: Call<unknown>, root: string): Promise<{ repo: Repo; made: boolean }> {
  if ((await host.query(text(repoFile(root)))) !== null) {
    const repo = await openRepository(host, root);
    await sweepTemporaries(host, root);
    return { repo, made: false };
  }
  await judgeFolder(host, root);
  await sweepTemporaries(host, root);
  await probe(host, root);
  if ((await host.query(list(vmsFolder(root)))) === null) await host.change(mkdir(vmsFolder(root), 0o755));
  await host.change(sync(root));
  const manifest = seal({ ...heading('Repository'), id: uuid(), createdAt: formatInstant(now()), features: [] });
  const data = manifestText(manifest);
  const temp = `${root}/${temporary}repo-${hash('sha256', data).slice(0, 8)}.json`;
  await createWhole(host, { path: repoFile(root), temp, data, mode: 0o444 });
  return { repo: { root, id: manifest.id }, made: true };
}

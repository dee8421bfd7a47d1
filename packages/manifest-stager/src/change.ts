import type { Call } from '@platter/command/call';
import { remove, sync } from '@platter/host/changes';
import { because, type Host } from '@platter/host/door';
import { errno, Failure } from '@platter/host/failure';
import { list, lstat } from '@platter/host/looks';
import { createWhole, replaceWhole } from '@platter/host/whole';
import { type Decision, decide, type Wish } from './decision.ts';
import { locked } from './locked.ts';
import { fileOf, type Mode, modes, temporaryOf, writerOf } from './manifest.ts';
import { changeOf } from './outcome.ts';
import { folderOf, type Place, under } from './place.ts';
import type { ManifestChange } from './records.ts';
import { find, folder } from './staged.ts';

/** What to make of a name at a place. `check` refuses what conflicts with other files; it runs before anything is made. */
export interface Task {
  place: Place;
  wish: Wish;
  content?: Uint8Array;
  check?: () => Promise<void>;
}

/** Looks, decides, and changes under the locks of the folders, where it looks and decides again. */
export async function perform(call: Call<unknown>, task: Task): Promise<ManifestChange[]> {
  const { host } = call;
  const { place, content } = task;
  const made = (await look(host, task)).find(({ action }) => action === 'added')?.mode ?? null;
  if (made !== null && (await folder(host, place, made)) === null) await task.check?.();
  return locked(host, place, {
    make: made,
    work: async () => {
      await sweep(call, place);
      const decisions = await look(host, task);
      if (decisions.some(({ action }) => writes(action))) await task.check?.();
      for (const decision of decisions) await carryOut(call, task, decision);
      return decisions.map((decision) => changeOf(decision, { path: pathOf(task, decision.mode), content }));
    },
  });
}

const look = async (host: Host, { place, wish }: Task) => decide(await find(host, place, wish.name), wish);

const writes = (action: Decision['action']) => action === 'added' || action === 'replaced';

const pathOf = ({ place, wish }: Task, mode: Mode) => `${folderOf(place, mode)}/${fileOf(wish.name)}`;

/** Removes temporaries of ours whose writer is gone; we hold the locks. */
async function sweep({ host, holder }: Call<unknown>, place: Place): Promise<void> {
  for (const mode of modes) {
    const path = await folder(host, place, mode);
    if (path === null) continue;
    for (const { name } of (await host.query(list(under(place.root, path)))) ?? []) {
      const pid = writerOf(name);
      if (pid === undefined || (pid !== holder.pid && (await alive(host, pid)))) continue;
      await host.change(because(remove(`${under(place.root, path)}/${name}`), 'left by a run that was killed'));
    }
  }
}

const alive = async (host: Host, pid: number): Promise<boolean> => (await host.query(lstat(`/proc/${pid}`))) !== null;

/** The change itself. Its commit is the link, the rename or the unlink; what comes before leaves a temporary at most. */
async function carryOut(call: Call<unknown>, task: Task, { action, mode }: Decision): Promise<void> {
  const path = under(task.place.root, pathOf(task, mode));
  if (action === 'unchanged') return;
  if (action === 'removed') {
    await call.host.change(remove(path));
    return call.host.change(sync(under(task.place.root, folderOf(task.place, mode))));
  }
  const random = Buffer.from(call.random(6)).toString('hex');
  const temp = `${under(task.place.root, folderOf(task.place, mode))}/${temporaryOf(task.wish.name, { pid: call.holder.pid, random })}`;
  const whole = { path, temp, data: new TextDecoder('utf-8', { ignoreBOM: true }).decode(task.content), mode: 0o644 };
  if (action === 'replaced') return replaceWhole(call.host, whole);
  await createWhole(call.host, whole).catch((error) => {
    if (errno(error) !== 'EEXIST') throw error;
    throw new Failure('busy', `${path} was made by somebody else just now`, { cause: error, hint: 'run it again' });
  });
}

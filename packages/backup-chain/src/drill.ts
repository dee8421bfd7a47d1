import { dirname, resolve } from 'node:path';
import type { Call } from '@platter/command/call';
import { every } from '@platter/command/every';
import { Failure } from '@platter/host/failure';
import { lstat } from '@platter/host/looks';
import { createWhole } from '@platter/host/whole';
import { drillLoose, drillPoint } from './drilling.ts';
import type { DrillWish } from './evidence.ts';
import { compactInstant, temporary } from './layout.ts';
import { manifestText } from './manifest.ts';
import type { Receipt } from './manifest-kinds.ts';
import type { Order } from './picking.ts';
import { openSources, type SourceFlags } from './sources.ts';
import { tasksOf } from './tasks.ts';
import { drilledText } from './telling.ts';

export interface DrillFlags extends SourceFlags {
  pick: Order | undefined;
  count: number;
  via: DrillWish['via'];
  into: string;
  fsck: DrillWish['fsck'];
  receipt: string | undefined;
  workers: number;
}

const usage = (message: string): Failure => new Failure('usage', message);

function refuseContradictions({ flags, words }: Call<DrillFlags>): void {
  const { files, pick, count, via, fsck } = flags;
  if (words.length > 0 && pick !== undefined) throw usage('--pick chooses points, and ADDR names them');
  if (files && via === 'overlay') throw usage('--via overlay is for points of a repository');
  if (via === 'read' && fsck === 'require')
    throw usage('--via read looks at no filesystem: --fsck require cannot hold');
  if (count < 1) throw usage('--count: at least one');
}

/** Where the receipt also goes: 3 when it is there already. */
async function receiptPath({ flags, cwd, host }: Call<DrillFlags>): Promise<string | null> {
  if (flags.receipt === undefined) return null;
  const path = resolve(cwd, flags.receipt);
  if ((await host.query(lstat(path))) === null) return path;
  throw new Failure('refused', `will not write ${path}: it exists`);
}

interface Told {
  name: string;
  receipt: Receipt | null;
  path: string | null;
}

/** Hands a receipt on, and then ends as it says. */
async function tell(call: Call<DrillFlags>, { name, receipt, path }: Told): Promise<void> {
  if (receipt === null) return call.note(`${name}: then its filesystems are checked, and a receipt is written`);
  if (path !== null) {
    const temp = `${dirname(path)}/${temporary}${compactInstant(Date.parse(receipt.at))}-receipt`;
    await createWhole(call.host, { path, temp, data: manifestText(receipt), mode: 0o444 });
  }
  await call.emit({ ...receipt, metadata: { name } }, { text: drilledText(name, receipt), name });
  if (receipt.result === 'ok') return;
  throw new Failure('corrupt', `${name} failed its drill`, {
    details: receipt.failure === null ? {} : { by: receipt.failure },
    hint: 'backup-chain validate --level deep',
  });
}

/** Drills loose files, or points one after the other, each with its receipt. */
export async function drill(call: Call<DrillFlags>): Promise<void> {
  refuseContradictions(call);
  const path = await receiptPath(call);
  const wish = { ...call.flags, into: resolve(call.cwd, call.flags.into) };
  if (call.flags.files) {
    const [source] = (await openSources(call)).sources;
    if (source) await tell(call, { name: source.name, receipt: await drillLoose(call, source, wish), path });
    return;
  }
  const tasks = await tasksOf(call);
  if (path !== null && tasks.size > 1) throw usage(`--receipt is for one point; these are ${tasks.size}`);
  await every(call, { names: [...tasks.keys()], alike: true }, async (name) => {
    const task = tasks.get(name);
    if (task) await tell(call, { name, receipt: await drillPoint(call, task, wish), path });
  });
}

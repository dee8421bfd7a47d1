import type { Call } from '@platter/command/call';
import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { text } from '@platter/host/looks';
import { replaceWhole } from '@platter/host/whole';
import { temporary } from './layout.ts';
import { manifestText } from './manifest.ts';
import type { DiskFacts } from './repository.ts';
import { matching, misfit, oneOf } from './shape.ts';

/** When a data file was last read whole, and whether it was as it should be. */
export interface Check {
  at: string;
  ok: boolean;
}

const shape = { at: matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/), ok: oneOf(true, false) };

/** What is told of a disk's files; advisory, so what cannot be read tells nothing. */
export async function readChecked(host: Host, { paths }: DiskFacts): Promise<Map<string, Check>> {
  const content = await host.query(text(paths.checked));
  try {
    const all = Object.entries(JSON.parse(content ?? '{}') as Record<string, Check>);
    return new Map(all.filter(([, check]) => misfit(check, shape) === null));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return new Map();
    throw error;
  }
}

/** Keeps the check of one file beside those of the disk's others; one that cannot be kept is said, for it is advisory. */
export async function keepCheck(call: Call<unknown>, disk: DiskFacts, [file, check]: readonly [string, Check]) {
  const { host } = call;
  const there = new Set(disk.data.map(({ name }) => name));
  const others = [...(await readChecked(host, disk))].filter(([name]) => there.has(name));
  const data = manifestText(Object.fromEntries([...others, [file, check]]));
  const { checked, folder } = disk.paths;
  try {
    await replaceWhole(host, { path: checked, temp: `${folder}/${temporary}checked.json`, data, mode: 0o644 });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    call.note(`the check of ${file} is not recorded: ${error.message}`);
  }
}

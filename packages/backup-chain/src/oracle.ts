import type { Call } from '@platter/command/call';
import { create, remove, truncate } from '@platter/host/changes';
import type { Held } from '@platter/host/hold';
import { hold } from '@platter/host/looks';
import { type Finding, finding } from './finding.ts';
import { convertStack } from './qemu.ts';
import { refuseFull } from './raw-file.ts';
import { writeTarget } from './restoring.ts';
import { inScratch, scratchNames } from './scratch.ts';
import { contentOf, type Link, type Stack, stackOf } from './stack.ts';
import { summarise } from './summary.ts';
import { targetContent } from './verifying.ts';

/** A chain to restore twice. */
interface Trial {
  name: string;
  stack: Stack;
  workers: number;
}

type Engine = (call: Call<unknown>, trial: Trial, target: Held) => Promise<unknown>;

const native: Engine = (call, { stack, name, workers }, target) => {
  const manner = { delta: false, keepTail: false, workers };
  return writeTarget({ call, stack, target, manner, label: `restore ${name}` });
};
const byQemu: Engine = (call, { stack }, target) => convertStack(call, stack, target);

/** The content digest of what an engine makes of a chain, in a file that is gone afterwards. */
async function made(call: Call<unknown>, trial: Trial, [path, engine]: readonly [string, Engine]): Promise<string> {
  const { host } = call;
  const { virtualSize } = trial.stack;
  await host.change(create(path, '', 0o600));
  await host.change(truncate(path, virtualSize));
  const target = await host.query(hold(path, { write: true, direct: true }));
  try {
    await engine(call, trial, target);
    return await targetContent({ target, virtualSize, workers: trial.workers });
  } finally {
    target.close();
    await host.change(remove(path));
  }
}

/** Restores a chain by ourselves and by QEMU, in scratch space; what differs from what it composes to is found. */
async function oracleFindings(call: Call<unknown>, trial: Trial): Promise<Finding[]> {
  const parent = call.env.TMPDIR || '/tmp';
  await refuseFull(call, `${parent}/${scratchNames.disk}`, (await summarise(trial.stack)).dataBytes);
  const expected = await contentOf(trial.stack);
  return inScratch(call, { parent, for: 'restore', id: 'oracle' }, async (folder) => {
    const found: Finding[] = [];
    for (const [who, engine] of [
      ['ourselves', native],
      ['QEMU', byQemu],
    ] as const) {
      const content = await made(call, trial, [`${folder}/${scratchNames.disk}`, engine]);
      const wrong = ['oracle', trial.name, `restored by ${who} it is not what its files compose to`] as const;
      if (content !== expected) found.push(finding('corrupt', wrong));
    }
    return found;
  });
}

/** Restores the chain up to each of the links that are asked for by both engines. */
export async function trials(
  call: Call<unknown>,
  { links, asked, workers }: { links: readonly Link[]; asked: readonly number[]; workers: number },
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const n of asked) {
    const name = links[n]?.name ?? '';
    const stack = stackOf(links.slice(0, n + 1));
    found.push(...(await oracleFindings(call, { name, stack, workers })));
  }
  return found;
}

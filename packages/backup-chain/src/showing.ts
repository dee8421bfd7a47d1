import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { addressName } from './address.ts';
import { chainOf, setFindings } from './chain.ts';
import { refuse } from './finding.ts';
import { pointLines } from './listing.ts';
import { drillsOf, lastDrillOf, readReceipts, receiptFindings } from './receipts.ts';
import { wayOutOf } from './repository.ts';
import { type Found, manifestOf, pointsOf } from './resolving.ts';
import { drilledLine } from './telling.ts';
import { pinsOn, pointRecord, setRecord, standingOf } from './view.ts';

/** Tells of a point with its chain, or of a set with the chains of its points; metadata only. */
export async function show(call: Call<unknown>, found: Found): Promise<void> {
  const { facts } = found;
  const receipts = await readReceipts(call.host, facts.paths);
  for (const { object, message } of receiptFindings(receipts)) call.warn(`${object}: ${message}`);
  if (found.kind === 'set') {
    const broken = facts.sets.find(({ value }) => value === found.set);
    refuse(broken ? setFindings(facts, broken) : [], `the set ${found.set.id} is not whole`);
    await call.emit(setRecord(found.set, pinsOn(facts, found.set.id), lastDrillOf(receipts, found.set)), {});
  }
  for (const { disk, id } of pointsOf(found)) {
    const name = addressName({ namespace: facts.namespace, vm: facts.vm, disk: disk.name, ref: id });
    const point = manifestOf(disk, id);
    const { links, findings } = chainOf({ facts, disk }, id);
    refuse(findings, `the chain of ${name} is damaged`, wayOutOf(disk, links));
    if (point === undefined) throw new Failure('corrupt', `the manifest of ${name} is not there`);
    const drills = drillsOf(receipts, disk.name, id).map((receipt) => `  drill  ${drilledLine(receipt)}`);
    const text = [...pointLines(facts, [name, call.now()], links), ...drills];
    await call.emit(pointRecord(point, standingOf(facts, disk, [point, links])), { text, name });
  }
}

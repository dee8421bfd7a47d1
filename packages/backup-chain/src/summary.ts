import { hasBytes, type Stack, spans } from './stack.ts';

/** What a chain composes to, in bytes of the guest, and which of its files win how much. */
export interface Summary {
  dataBytes: number;
  /** Explicit zeros; what no layer has is neither. */
  zeroBytes: number;
  extents: number;
  winners: number[];
}

/** Walks what the guest sees, without reading data. */
export async function summarise(stack: Stack): Promise<Summary> {
  const summary: Summary = { dataBytes: 0, zeroBytes: 0, extents: 0, winners: stack.links.map(() => 0) };
  for await (const span of spans(stack, { at: 0, length: stack.virtualSize })) {
    summary.extents += 1;
    if (span.kind === 'zero') summary.zeroBytes += span.length;
    if (!hasBytes(span)) continue;
    summary.dataBytes += span.length;
    summary.winners[span.layer] = (summary.winners[span.layer] ?? 0) + span.length;
  }
  return summary;
}

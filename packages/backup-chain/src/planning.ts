import { formatSize } from '@platter/units/size';
import type { Source } from './sources.ts';
import { hasBytes, spans } from './stack.ts';
import { summarise } from './summary.ts';

/** What a restore would read and write, file by file. */
export async function planRecord({ name, stack, point }: Source) {
  const { dataBytes, zeroBytes, extents, winners } = await summarise(stack);
  const layers = stack.links.map(({ name: file, held }, n) => ({
    point: point?.checkpointChain.at(n - stack.links.length) ?? null,
    file,
    size: held.size,
    winnerBytes: winners[n] ?? 0,
  }));
  return {
    apiVersion: 'platter.dev/v1' as const,
    kind: 'RestorePlan' as const,
    metadata: { name },
    layers,
    virtualSize: stack.virtualSize,
    dataBytes,
    zeroBytes,
    extents,
    readBytes: dataBytes,
    links: stack.links.length,
    engine: 'native' as const,
    engineReason: 'every layer is read natively',
  };
}
export type RestorePlan = Awaited<ReturnType<typeof planRecord>>;

/** A plan as people read it. */
export function planText({
  metadata,
  layers,
  virtualSize,
  dataBytes,
  zeroBytes,
  extents,
  links,
}: RestorePlan): string[] {
  const rows = layers.map(
    ({ point, file, winnerBytes, size }) => `  ${point ?? file}  ${formatSize(winnerBytes)} of ${formatSize(size)}`,
  );
  const head = `${metadata.name}  disk ${formatSize(virtualSize)}, data ${formatSize(dataBytes)}, zeroed ${formatSize(zeroBytes)}`;
  return [`${head}, ${extents} extents, ${links} ${links === 1 ? 'layer' : 'layers'}, engine native`, ...rows];
}

/** One record for each run of guest bytes, as `qemu-img map` tells them. */
export async function* extentRecords({ name, stack }: Source) {
  const leaf = stack.links.length - 1;
  for await (const span of spans(stack, { at: 0, length: stack.virtualSize })) {
    const data = hasBytes(span);
    yield {
      apiVersion: 'platter.dev/v1' as const,
      kind: 'Extent' as const,
      metadata: { name },
      start: span.at,
      length: span.length,
      depth: span.layer < 0 ? leaf : leaf - span.layer,
      data,
      zero: !data,
      offset: span.kind === 'data' ? span.host : null,
    };
  }
}

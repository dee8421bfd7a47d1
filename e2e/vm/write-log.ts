/** Bytes that a disk was asked to write at an offset. */
export interface Write {
  at: number;
  data: Buffer;
}

/** "jsfwshr" as the kernel's dm-log-writes has it, whose format QEMU's blklogwrites writes. */
const magic = 0x6a736677736872n;
const isFlush = 1;
const isDiscard = 4;

type Entry = Write & { flags: number };

/** The entries of a log: a superblock, then of each entry a sector that describes it and the sectors it wrote. */
function* entries(log: Buffer): Generator<Entry> {
  if (log.readBigUInt64LE(0) !== magic) throw new Error('not a log of writes');
  const [count, sector] = [Number(log.readBigUInt64LE(16)), log.readUInt32LE(24)];
  let position = sector;
  for (let i = 0; i < count; i += 1) {
    const [at, length, flags] = [0, 8, 16].map((field) => Number(log.readBigUInt64LE(position + field)));
    const data = log.subarray(position + sector, position + sector * (1 + (length ?? 0)));
    yield { at: (at ?? 0) * sector, data, flags: flags ?? 0 };
    position += sector + data.length;
  }
}

/**
 * The writes that each flush of a disk made durable, in their order. A flush with nothing to do is left out, and so is
 * what came after the last one.
 */
export function flushed(log: Buffer): Write[][] {
  const groups: Write[][] = [];
  let group: Write[] = [];
  for (const { at, data, flags } of entries(log)) {
    if (flags & isDiscard) throw new Error(`discarded at ${at}: what the disk holds there is anybody's guess`);
    if (data.length > 0) group.push({ at, data });
    if (!(flags & isFlush) || group.length === 0) continue;
    groups.push(group);
    group = [];
  }
  return groups;
}

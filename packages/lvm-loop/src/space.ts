/** What must stay free of a filesystem: a share of it, and at least `floor` bytes. */
export interface Reserve {
  percent: number;
  floor: number;
}

/** Bytes; bigint because filesystems end at 8 EiB and numbers at 8 PiB. */
export interface Room {
  free: bigint;
  total: bigint;
}

export function reserved({ total }: Room, { percent, floor }: Reserve): bigint {
  const share = (total / 100n) * BigInt(percent);
  return share > BigInt(floor) ? share : BigInt(floor);
}

/** How many bytes `need` is more than may be taken; 0 or less: it fits. What needs nothing always fits. */
export function shortage(room: Room, reserve: Reserve, need: bigint): bigint {
  return need <= 0n ? 0n : need - (room.free - reserved(room, reserve));
}

const GiB = 1024 ** 3;

/** The pieces in which a range is allocated, so that the room can be looked at between them. */
export function* chunks(from: number, to: number): Generator<{ offset: number; length: number }> {
  const step = Math.min(Math.max(Math.floor(to / 64), GiB), 64 * GiB);
  for (let offset = from; offset < to; offset += step) yield { offset, length: Math.min(step, to - offset) };
}

import type { Host } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { qmp } from '@platter/host/looks';
import * as z from 'zod/mini';

/** A dirty bitmap as a running QEMU tells of it. */
export interface LiveBitmap {
  name: string;
  recording: boolean;
  busy: boolean;
  inconsistent: boolean;
}

/** A block node of a running QEMU. */
export interface Node {
  name: string;
  format: 'raw' | 'qcow2';
  /** Guest bytes. */
  size: number;
  bitmaps: LiveBitmap[];
}

export interface Job {
  id: string;
  status: string;
  progress: number;
  total: number;
  error: string | null;
}

/** A monitor socket of a running QEMU, and the machine it is on. */
export interface Monitor {
  host: Host;
  path: string;
}

const bitmap = z.looseObject({
  name: z.optional(z.string()),
  recording: z.boolean(),
  busy: z.boolean(),
  inconsistent: z.optional(z.boolean()),
});
const nodes = z.array(
  z.looseObject({
    'node-name': z.optional(z.string()),
    drv: z.string(),
    image: z.looseObject({ 'virtual-size': z.number() }),
    'dirty-bitmaps': z.optional(z.array(bitmap)),
  }),
);
const devices = z.array(
  z.looseObject({
    device: z.string(),
    qdev: z.optional(z.string()),
    inserted: z.optional(z.looseObject({ 'node-name': z.optional(z.string()) })),
  }),
);
const jobs = z.array(
  z.looseObject({
    id: z.string(),
    status: z.string(),
    'current-progress': z.number(),
    'total-progress': z.number(),
    error: z.optional(z.string()),
  }),
);

type Reply<T> = { safeParse(value: unknown): { success: true; data: T } | { success: false } };

/** A look at what QEMU says, in the shape that is known of it. */
async function asked<T>(
  { host, path }: Monitor,
  execute: string,
  { reply, after }: { reply: Reply<T>; after?: number },
) {
  const said = await host.query({ ...qmp(path, execute), ...(after === undefined ? {} : { after }) });
  const read = reply.safeParse(said);
  if (read.success) return read.data;
  throw new Failure('unsupported', `QEMU answers ${execute} in a way this program does not know`);
}

/** Every named block node. */
export async function nodesOf(monitor: Monitor): Promise<Node[]> {
  const found = await asked(monitor, 'query-named-block-nodes', { reply: nodes });
  return found.map((node) => ({
    name: node['node-name'] ?? '',
    format: node.drv === 'qcow2' ? 'qcow2' : 'raw',
    size: node.image['virtual-size'],
    bitmaps: (node['dirty-bitmaps'] ?? []).map(({ name = '', recording, busy, inconsistent = false }) => ({
      ...{ name, recording, busy, inconsistent },
    })),
  }));
}

/** The node that a device of the guest shows, by the device's id; null when there is none. */
export async function nodeOfDevice(monitor: Monitor, id: string): Promise<string | null> {
  const found = await asked(monitor, 'query-block', { reply: devices });
  const isMeant = (path = '') => path === id || path.split('/').includes(id);
  const device = found.find(({ device: name, qdev }) => name === id || isMeant(qdev));
  return device?.inserted?.['node-name'] ?? null;
}

/** Every job there is; `after` so many ms. */
export async function jobsOf(monitor: Monitor, after?: number): Promise<Job[]> {
  const found = await asked(monitor, 'query-jobs', { reply: jobs, ...(after === undefined ? {} : { after }) });
  return found.map(({ id, status, error = null, ...job }) => ({
    ...{ id, status, error },
    progress: job['current-progress'],
    total: job['total-progress'],
  }));
}

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Change, EntryKind, Host, Output, Query, Stat } from '@platter/host/door';
import { Failure } from '@platter/host/failure';
import { output } from '@platter/host/scripted';
import { shown } from '@platter/host/shown';

const MiB = 2 ** 20;

interface Node {
  kind: EntryKind;
  ino: number;
  size: number;
  allocated: number;
  text: string;
  /** The UUID in its PV label. */
  label: string | null;
  /** The UUID of the VG its PV is in. */
  vg: string | null;
}
interface LoopNode {
  node: Node;
  path: string;
  size: number;
  directIO: boolean;
  sectorSize: number;
  autoclear: boolean;
}
interface VgNode {
  name: string;
  uuid: string;
  extentSize: number;
  lvs: string[];
  seqno: number;
  /** Extents of each PV by its UUID. */
  extents: Map<string, number>;
  allocated: Map<string, number>;
}

/** A PV label as LVM writes it, in the second sector. */
export function labelBytes(uuid: string): Uint8Array {
  const head = Buffer.alloc(2048);
  const sector = head.subarray(512, 1024);
  sector.write('LABELONE', 0, 'latin1');
  sector.writeBigUInt64LE(1n, 8);
  sector.writeUInt32LE(32, 20);
  sector.write('LVM2 001', 24, 'latin1');
  sector.write(uuid.replaceAll('-', ''), 32, 'latin1');
  const crc = crc32(sector.subarray(20), (0xf597a6cf ^ 0xffffffff) >>> 0) ^ 0xffffffff;
  sector.writeUInt32LE(crc >>> 0, 16);
  return head;
}

/** A host in memory: files of one filesystem, loops, PVs and VGs, as far as our verbs look at and change them. */
export class Machine implements Host {
  readonly dry = false;
  #next = 100;
  nodes = new Map<string, Node>([['/', this.#node('dir')]]);
  loops = new Map<string, LoopNode>();
  vgs = new Map<string, VgNode>();
  free = 1024 * MiB;
  dm = false;
  /** VG names the host has besides. */
  foreign: string[] = [];
  /** Loop devices that something has open. */
  open = new Set<string>();
  lines: string[] = [];
  looks: string[] = [];
  /** Called before each look and change; what it throws or gives is the answer. */
  onLook: (name: string) => Output | undefined = () => undefined;
  onChange: (name: string, count: number) => Output | undefined = () => undefined;
  /** Called after each change. */
  onChanged: (count: number) => void = () => {};
  #folder = mkdtempSync(join(tmpdir(), 'lvm-loop-model-'));

  constructor(...directories: string[]) {
    for (const path of ['/dev', '/run', '/sys', ...directories]) this.nodes.set(path, this.#node('dir'));
  }

  #node(kind: EntryKind): Node {
    this.#next += 1;
    return { kind, ino: this.#next, size: 0, allocated: 0, text: '', label: null, vg: null };
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true });
  }

  /** A file with a size that is there from somewhere else. */
  put(path: string, size: number): void {
    this.nodes.set(path, { ...this.#node('file'), size, allocated: size });
  }

  node(path: string): Node {
    const found = this.nodes.get(path);
    if (found === undefined) throw new Failure('failed', `model: no ${path}`, { cause: { code: 'ENOENT' } });
    return found;
  }

  async query<Q extends Query>(query: Q): Promise<never> {
    const name = query.op === 'run' ? shown(query) : `${query.op} ${query.path}`;
    this.looks.push(name);
    return (this.onLook(name) ?? this.#look(query)) as never;
  }

  async change<C extends Change>(change: C): Promise<never> {
    const name = shown(change);
    if (change.op === 'lock') return { fd: -1, path: change.path, previous: '', release: () => {} } as never;
    this.lines.push(name);
    const answer = this.onChange(name, this.lines.length);
    const effect = answer ?? this.#touch(change);
    this.onChanged(this.lines.length);
    return effect as never;
  }

  #look(query: Query): unknown {
    switch (query.op) {
      case 'stat':
        return this.#stat(query.path);
      case 'list':
        return this.#list(query.path);
      case 'text':
        return this.#text(query.path);
      case 'realpath':
        return this.nodes.has(query.path) ? query.path : null;
      case 'space':
        return { free: this.free, total: 4096 * MiB, type: 0 };
      case 'hold':
        return this.#hold(query.path);
      case 'run':
        return this.#runLook(query.program, [...query.args]);
      default:
        throw new Error(`model: ${query.op}`);
    }
  }

  #stat(path: string): Stat | null {
    const found = this.nodes.get(path);
    if (found === undefined) return null;
    const { kind, ino, size, allocated } = found;
    const rest = { dev: 0x801n, rdev: 0n, mode: 0o600, nlink: 1, uid: 0, gid: 0, mtimeNs: 0n };
    return { kind, ino: BigInt(ino), size, allocated, birthNs: BigInt(ino) * 1000n, ...rest };
  }

  #list(path: string) {
    if (path.startsWith('/sys/block/')) return [];
    if (!this.nodes.has(path)) return null;
    return [...this.nodes]
      .filter(([name]) => name !== '/' && dirname(name) === path)
      .map(([name, { kind }]) => ({ name: basename(name), kind }));
  }

  #text(path: string): string | null {
    if (path === '/proc/misc') return this.dm ? '236 device-mapper\n' : '237 loop-control\n';
    const [, loop] = /^\/sys\/block\/(loop\d+)\/size$/.exec(path) ?? [];
    if (loop !== undefined) return `${(this.loops.get(`/dev/${loop}`)?.size ?? 0) / 512}\n`;
    return this.nodes.get(path)?.text ?? null;
  }

  #hold(path: string) {
    const { label, size } = this.node(path);
    const file = join(this.#folder, 'head');
    writeFileSync(file, label === null ? Buffer.alloc(2048) : labelBytes(label));
    const fd = openSync(file, 'r');
    const held = { path, fd, direct: null, size, sectorSize: 512, kind: 'file' as const };
    return { ...held, pin: () => () => {}, same: () => true, close: () => closeSync(fd) };
  }

  #runLook(program: string, args: string[]): Output {
    if (program === 'losetup')
      return args[0] === '--version' ? said('losetup from util-linux 2.38.1') : said(this.#listing());
    if (program === 'findmnt')
      return said(
        JSON.stringify({ filesystems: [{ source: '/dev/vdz', fstype: 'ext4', uuid: 'fs-uuid', options: 'rw' }] }),
      );
    if (program === 'stat') return said('abc123');
    if (program === 'sleep') return output({});
    if (program === 'lvm') return args[0] === 'version' ? said('  LVM version:     2.03.16(2)') : this.#reports(args);
    throw new Error(`model: ${program}`);
  }

  #listing(): string {
    const loopdevices = [...this.loops].map(([name, { node, path, ...loop }]) => ({
      name,
      'back-file': path,
      'back-ino': node.ino,
      'back-maj:min': '     8:1  ',
      autoclear: loop.autoclear,
      ro: false,
      dio: loop.directIO,
      'log-sec': loop.sectorSize,
      offset: 0,
      sizelimit: 0,
    }));
    return loopdevices.length === 0 ? '' : JSON.stringify({ loopdevices });
  }

  #scope(args: readonly string[]): LoopNode[] {
    const devices = args[args.indexOf('--devices') + 1]?.split(',') ?? [];
    return devices.map((name) => {
      const loop = this.loops.get(name);
      if (loop === undefined) throw new Error(`model: scope names ${name}, which is no loop`);
      return loop;
    });
  }

  #reports(args: string[]): Output {
    const rows = { pvs: 'pv', vgs: 'vg', lvs: 'lv' }[args[0] as 'pvs'];
    if (!args.includes('--devices'))
      return report(
        'vg',
        this.foreign.map((name) => ({ vg_name: name, vg_uuid: `uuid-of-${name}` })),
      );
    const seen = this.#scope(args);
    const vgs = [...this.vgs.values()].filter(({ uuid }) => seen.some(({ node }) => node.vg === uuid));
    if (rows === 'lv')
      return report(
        'lv',
        vgs.flatMap(({ lvs }) => lvs.map(lvRow)),
      );
    if (rows === 'vg')
      return report(
        'vg',
        vgs.map((vg) => this.#vgRow(vg, seen)),
      );
    return report(
      'pv',
      seen.map((loop) => this.#pvRow(loop)),
    );
  }

  #pvRow({ node, size }: LoopNode) {
    const name = [...this.loops].find(([, loop]) => loop.node === node)?.[0] ?? '';
    const vg = node.vg === null ? undefined : this.vgs.get(node.vg);
    const extents = vg?.extents.get(node.label ?? '') ?? 0;
    return {
      pv_name: name,
      pv_uuid: node.label ?? '',
      vg_name: vg?.name ?? '',
      vg_uuid: vg?.uuid ?? '',
      dev_size: String(size),
      pv_size: String(extents * (vg?.extentSize ?? 0)),
      pe_start: String(MiB),
      pv_missing: '',
      pv_pe_count: String(extents),
      pv_pe_alloc_count: String(vg?.allocated.get(node.label ?? '') ?? 0),
      pv_mda_count: '1',
      pv_mda_used_count: '1',
    };
  }

  #vgRow(vg: VgNode, seen: readonly LoopNode[]) {
    const extents = [...vg.extents.values()].reduce((sum, one) => sum + one, 0);
    const here = seen.filter(({ node }) => node.vg === vg.uuid).length;
    return {
      vg_name: vg.name,
      vg_uuid: vg.uuid,
      vg_extent_size: String(vg.extentSize),
      vg_extent_count: String(extents),
      vg_free_count: String(extents),
      pv_count: String(vg.extents.size),
      vg_missing_pv_count: String(vg.extents.size - here),
      lv_count: String(vg.lvs.length),
      vg_seqno: String(vg.seqno),
    };
  }

  #touch(change: Change): unknown {
    switch (change.op) {
      case 'write':
        if (change.exclusive && this.nodes.has(change.path)) throw taken(change.path);
        this.nodes.set(change.path, { ...this.#node('file'), text: String(change.data), size: change.data.length });
        return;
      case 'mkdir':
        this.nodes.set(change.path, this.#node('dir'));
        return;
      case 'link':
        if (this.nodes.has(change.to)) throw taken(change.to);
        this.nodes.set(change.to, this.node(change.from));
        return;
      case 'rename':
        this.nodes.set(change.to, this.node(change.from));
        this.nodes.delete(change.from);
        return;
      case 'remove':
        this.nodes.delete(change.path);
        return;
      case 'truncate':
        this.node(change.path).size = change.size;
        return;
      case 'run':
        return this.#runChange(change.program, [...change.args]);
      default:
        return;
    }
  }

  #runChange(program: string, args: string[]): Output {
    if (program === 'fallocate') return this.#fallocate(args);
    if (program === 'losetup') return this.#losetup(args);
    if (program === 'rm') return this.#removeAll(args.at(-1) as string);
    if (program === 'lvm') return this.#lvm(args);
    throw new Error(`model: ${program}`);
  }

  #fallocate([, offset, , length, , path]: string[]): Output {
    const bytes = Number(length);
    if (bytes > this.free) return output({ code: 1, stderr: 'fallocate: fallocate failed: No space left on device' });
    const node = this.node(path as string);
    this.free -= bytes;
    node.size = Number(offset) + bytes;
    node.allocated += bytes;
    return output({});
  }

  #removeAll(path: string): Output {
    for (const name of this.nodes.keys()) if (name === path || name.startsWith(`${path}/`)) this.nodes.delete(name);
    return output({});
  }

  #losetup(args: string[]): Output {
    const device = args.at(-1) as string;
    const loop = this.loops.get(device);
    if (args[0] === '--find') return this.#attach(device, Number(args[args.indexOf('-b') + 1]));
    if (loop === undefined) return output({ code: 1, stderr: `losetup: ${device}: No such device` });
    if (args[0] === '-c') loop.size = loop.node.size;
    else if (args[0] === '-d' && this.open.has(device)) loop.autoclear = true;
    else if (args[0] === '-d') this.loops.delete(device);
    else loop.directIO = args[0] === '--direct-io=on';
    return output({});
  }

  #attach(path: string, sectorSize: number): Output {
    const node = this.node(path);
    const there = [...this.loops].find(([, loop]) => loop.node === node);
    if (there !== undefined) {
      there[1].autoclear = false;
      return said(there[0]);
    }
    let minor = 0;
    while (this.loops.has(`/dev/loop${minor}`)) minor += 1;
    this.loops.set(`/dev/loop${minor}`, { node, path, size: node.size, directIO: false, sectorSize, autoclear: false });
    return said(`/dev/loop${minor}`);
  }

  #lvm(args: string[]): Output {
    const seen = this.#scope(args);
    const device = this.loops.get(args.at(-1) as string);
    const uuid =
      /vg_uuid=(\S+)/.exec(args.join(' '))?.[1] ?? seen.map(({ node }) => node.vg).find((one) => one !== null);
    const vg = this.vgs.get(uuid ?? '');
    const fits = ({ size }: LoopNode, { extentSize }: VgNode) => Math.floor((size - MiB) / extentSize);
    const join = (into: VgNode) => {
      for (const name of args.filter((word) => word.startsWith('/dev/loop') && !word.includes(','))) {
        const loop = this.loops.get(name);
        if (
          loop?.node.label == null ||
          loop.node.vg !== null ||
          (args[args.indexOf('--devices') + 1] === name && !args.slice(args.indexOf('--')).includes(name))
        )
          continue;
        loop.node.vg = into.uuid;
        into.extents.set(loop.node.label, fits(loop, into));
      }
      into.seqno += 1;
    };
    switch (args[0]) {
      case 'pvcreate':
        if (device !== undefined) device.node.label = args[args.indexOf('--uuid') + 1] as string;
        return output({});
      case 'vgcreate': {
        const name = args[args.indexOf('--') + 1] as string;
        const size = Number.parseInt(args[args.indexOf('--physicalextentsize') + 1] as string, 10);
        const made: VgNode = {
          name,
          uuid: vgUuid(this.vgs.size),
          extentSize: size,
          lvs: [],
          seqno: 0,
          extents: new Map(),
          allocated: new Map(),
        };
        this.vgs.set(made.uuid, made);
        join(made);
        return output({});
      }
      case 'vgextend':
        if (vg !== undefined) join(vg);
        return output({});
      case 'pvresize':
        if (vg !== undefined && device?.node.label) vg.extents.set(device.node.label, fits(device, vg));
        return output({});
      case 'lvremove':
        if (vg !== undefined) vg.lvs = [];
        return output({});
      case 'vgreduce':
        if (vg?.extents.size === 1) return output({ code: 5, stderr: 'Can not remove final physical volume' });
        if (device?.node.label) vg?.extents.delete(device.node.label);
        if (device !== undefined) device.node.vg = null;
        return output({});
      case 'vgremove':
        if (vg === undefined || vg.lvs.length > 0) return output({});
        this.vgs.delete(vg.uuid);
        for (const { node } of this.loops.values()) if (node.vg === vg.uuid) node.vg = null;
        return output({});
      case 'pvremove':
        if (device !== undefined) device.node.label = null;
        return output({});
      default:
        throw new Error(`model: lvm ${args[0]}`);
    }
  }
}

const said = (stdout: string) => output({ stdout });
const report = (kind: string, rows: object[]) => output({ report: JSON.stringify({ report: [{ [kind]: rows }] }) });
const taken = (path: string) => new Failure('failed', `${path} is taken`, { cause: { code: 'EEXIST' } });
const vgUuid = (count: number) => `VGvgVG-0000-0000-0000-0000-0000-00000${count}`;
const lvRow = (name: string) => ({
  lv_name: name,
  lv_uuid: name,
  lv_size: '1',
  lv_attr: '-wi-------',
  lv_active: 'unknown',
});

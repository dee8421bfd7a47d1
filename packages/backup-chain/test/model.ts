import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

export const cluster = 65_536;

/** Bytes that only this cluster and this version of it has. */
export function stamp(index: number, version: number): Uint8Array {
  const seed = hash('sha256', `${index}/${version}`, 'buffer');
  const bytes = new Uint8Array(cluster);
  for (let at = 0; at < cluster; at += seed.length) bytes.set(seed, at);
  return bytes;
}

/** A raw disk in memory: clusters are stamped, zeroed, and the size changed. */
export class Disk {
  bytes: Uint8Array;
  #version = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  write(...clusters: number[]): this {
    this.#version += 1;
    for (const one of clusters) this.#put(one, stamp(one, this.#version));
    return this;
  }

  zero(...clusters: number[]): this {
    for (const one of clusters) this.#put(one, new Uint8Array(cluster));
    return this;
  }

  #put(index: number, bytes: Uint8Array): void {
    const at = index * cluster;
    if (at < this.bytes.length) this.bytes.set(bytes.subarray(0, this.bytes.length - at), at);
  }

  resize(size: number): this {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
    return this;
  }

  save(path: string): this {
    writeFileSync(path, this.bytes);
    return this;
  }
}

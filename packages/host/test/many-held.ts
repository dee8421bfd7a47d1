import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hold, source } from '../src/hold.ts';
import { pour } from '../src/pour.ts';

/** Started with few descriptors: holds 200 files, reads each, and pours all of them into one. */
const dir = process.argv[2] ?? '.';
const paths = Array.from({ length: 200 }, (_, n) => join(dir, `layer-${n}`));
for (const [n, path] of paths.entries()) writeFileSync(path, Buffer.alloc(4096, n));
writeFileSync(join(dir, 'poured'), '');
const helds = paths.map((path) => hold(path));
for (const held of helds) await source(held).read(0, 4096);
const target = hold(join(dir, 'poured'), { write: true });
await pour(
  target,
  helds.map((held, n) => ({ from: { held, at: 0 }, at: n * 4096, length: 4096, sha256: null })),
);
const poured = readFileSync(join(dir, 'poured'));
const right = paths.every((_, n) => poured.subarray(n * 4096, (n + 1) * 4096).every((byte) => byte === n));
console.log(right ? '200 files read and poured' : 'wrong content');

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attach } from '../../../e2e/ground/loops.ts';
import { needs } from '../../../e2e/ground/needs.ts';
import { restoreScript } from '../src/script.ts';
import type { Source } from '../src/sources.ts';
import { cluster, Disk } from '../test/model.ts';
import { done } from '../test/tool.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-script-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const scratch = join(folder, 'tmp');
const sh = (script: string) => {
  mkdirSync(scratch, { recursive: true });
  const ran = spawnSync('sh', [], { input: script, env: { ...process.env, TMPDIR: scratch }, encoding: 'utf8' });
  expect([ran.status, readdirSync(scratch)], ran.stderr).toEqual([0, []]);
};
const printed = async (...words: string[]) => (await done(['restore', ...words, '--plan=sh'])).text.join('');

const size = 24 * cluster + 512;
const states: Uint8Array[] = [];
const root = join(folder, 'repo');
const addressOf = (n: number) => `default/db/data@${ids()[n]}`;
const ids = (of = root) =>
  readdirSync(join(of, 'vms/default/db/disks/data/points'))
    .sort()
    .map((name) => name.slice(7, -5));

const captured = 10;

beforeAll(async () => {
  mkdirSync(root);
  await done(['init', '--repo', root]);
  const disk = new Disk(size).write(...Array.from({ length: 25 }, (_, n) => n));
  for (let n = 0; n < captured; n += 1) {
    if (n > 0) disk.zero((7 * n) % 25).write(n % 25, (3 * n) % 25);
    disk.save(join(folder, 'data.raw'));
    disk.save(join(folder, 'logs.raw'));
    const words = n < 2 ? [`logs=${join(folder, 'logs.raw')}`] : [];
    const data = `data=${join(folder, 'data.raw')}`;
    await done(['capture', '--repo', root, '--vm', 'db', data, ...words, '--format', 'raw']);
    states.push(disk.bytes.slice());
  }
}, 300_000);

/** Programs that note their words and do nothing, so that what a script says can be read word by word. */
function noted(script: string): string[][] {
  const stubs = mkdtempSync(join(folder, 'stubs-'));
  const log = join(stubs, 'log');
  const names = ['cp', 'chmod', 'qemu-img', 'truncate', 'blockdev', 'blkdiscard', 'sync'];
  for (const name of names) {
    const answer = name === 'blockdev' ? 'echo 1099511627776' : ':';
    writeFileSync(
      join(stubs, name),
      `#!/bin/sh\n{ printf '%s\\0' ${name} "$@"; printf '\\n\\0'; } >> '${log}'\n${answer}\n`,
    );
    chmodSync(join(stubs, name), 0o755);
  }
  execFileSync('sh', [], { input: script, env: { ...process.env, PATH: `${stubs}:${process.env.PATH}` } });
  const words = readFileSync(log, 'utf8').split('\0');
  const calls: string[][] = [[]];
  for (const word of words) {
    if (word === '\n') calls.push([]);
    else calls.at(-1)?.push(word);
  }
  return calls.filter(({ length }) => length > 1);
}

const fake = (files: readonly string[]): Source =>
  ({ name: 'x', point: null, stack: { links: files.map((name) => ({ name })), virtualSize: 1_048_576 } }) as never;

const hostile = fc.array(fc.constantFrom('a', ' ', "'", '"', '\n', '$(x)', '`x`', '-', '\\', '*', ';', '#', '!', 'ü'), {
  minLength: 1,
  maxLength: 8,
});
const path = hostile.map((parts) => `/nowhere/${parts.join('')}`);

describe('the printed script, word by word', () => {
  it('copies every layer, rebases each onto the one before with -F, and converts the last, whatever their names', () => {
    const files = fc.array(path, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(files, path, fc.boolean(), (names, to, file) => {
        const calls = noted(restoreScript([{ source: fake(names), path: to, file }]).join('\n'));
        const of = (...program: string[]) => calls.filter((call) => program.every((word, n) => call[n] === word));
        expect(of('cp').map((call) => call.slice(0, -1))).toEqual(
          names.map((name) => ['cp', '--reflink=auto', '--sparse=always', '--', name]),
        );
        const copies = of('cp').map((call) => call.at(-1) as string);
        expect(of('qemu-img', 'rebase')).toEqual(
          copies
            .slice(1)
            .map((copy, n) => ['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', `${n}.qcow2`, copy]),
        );
        const words = ['-n', '-t', 'none', '-T', 'writeback', '-m', '16', '-W', '-f', 'qcow2', '-O', 'raw'];
        expect(of('qemu-img', 'convert')).toEqual([['qemu-img', 'convert', ...words, copies.at(-1), to]]);
        expect(calls.at(-1)).toEqual(['sync', to]);
        expect(of('truncate').length).toBe(file ? 2 : 0);
        expect(of('blkdiscard')).toEqual(file ? [] : [['blkdiscard', '-z', '-f', '-o', '1048576', to]]);
      }),
      { numRuns: Number(process.env.PLATTER_ROUNDS ?? 25), seed: Number(process.env.PLATTER_SEED ?? 1) },
    );
  });

  it('is what the spec says', async () => {
    const whole = join(folder, 'whole');
    mkdirSync(whole);
    await done(['init', '--repo', whole]);
    const size = 24 * cluster;
    for (const state of [new Disk(size).write(1), new Disk(size).write(2)]) {
      state.save(join(folder, 'whole.raw'));
      const words = ['--vm', 'db', `data=${join(folder, 'whole.raw')}`, '--format', 'raw'];
      await done(['capture', '--repo', whole, ...words]);
    }
    const text = await printed('default/db/data@latest', '--repo', whole, '--to', '/dev/target');
    const data = join(whole, 'vms/default/db/disks/data/data');
    const [full, inc] = ids(whole);
    expect(text.split('\n')).toEqual([
      '#!/bin/sh',
      `# restores default/db/data@${inc}: ${size} bytes, 2 layers`,
      `# before: backup-chain validate --level deep default/db/data@${inc}`,
      'set -eu',
      'scratch=$(mktemp -d)',
      `trap 'rm -rf -- "$scratch"' EXIT`,
      `cp --reflink=auto --sparse=always -- '${data}/${full}.0.qcow2' "$scratch/0.qcow2"`,
      'chmod u+w "$scratch/0.qcow2"',
      `cp --reflink=auto --sparse=always -- '${data}/${inc}.0.qcow2' "$scratch/1.qcow2"`,
      'chmod u+w "$scratch/1.qcow2"',
      'qemu-img rebase -u -f qcow2 -F qcow2 -b 0.qcow2 "$scratch/1.qcow2"',
      `test "$(blockdev --getsize64 '/dev/target')" -ge ${size}`,
      `qemu-img convert -n -t none -T writeback -m 16 -W -f qcow2 -O raw "$scratch/1.qcow2" '/dev/target'`,
      `if test "$(blockdev --getsize64 '/dev/target')" -gt ${size}; then blkdiscard -z -f -o ${size} '/dev/target'; fi`,
      `sync '/dev/target'`,
      '',
    ]);
  });
});

describe('the printed script, run by a shell', () => {
  it.each([1, 2, 3, captured])('restores a chain of %i links', async (links) => {
    const to = join(folder, `links-${links}.img`);
    sh(await printed(addressOf(links - 1), '--repo', root, '--file', '--to', to));
    expect(readFileSync(to).equals(states[links - 1] as Uint8Array)).toBe(true);
  });

  it('restores a chain of 100 links', async () => {
    const data = join(root, 'vms/default/db/disks/data/data');
    const file = (n: number) => join(data, `${ids()[n]}.0.qcow2`);
    const files = Array.from({ length: 100 }, (_, n) => file(n === 0 ? 0 : 1 + (n % (captured - 1))));
    const [ours, theirs] = [join(folder, 'hundred'), join(folder, 'hundred-by-script')];
    await done(['restore', '--files', ...files, '--file', '--to', ours]);
    sh(await printed('--files', ...files, '--file', '--to', theirs));
    expect(readFileSync(theirs).equals(readFileSync(ours))).toBe(true);
  });

  it('restores loose files with hostile names, and nothing in them is run', async () => {
    const names = ["it's\n$(touch owned)", '-rf `touch owned` ;touch owned', ' "*" \\'];
    const files = [0, 1, 2].map((n) => {
      const file = join(folder, names[n] as string);
      execFileSync('cp', ['--', join(root, 'vms/default/db/disks/data/data', `${ids()[n]}.0.qcow2`), file]);
      return file;
    });
    const to = join(folder, "-o\n'target'; touch owned");
    sh(await printed('--files', ...files, '--file', '--to', to));
    expect(readFileSync(to).equals(states[2] as Uint8Array)).toBe(true);
    expect([existsSync('owned'), existsSync(join(folder, 'owned'))]).toEqual([false, false]);
  });

  it('restores a set disk by disk, and leaves no copy of either; a goal that exists stops it', async () => {
    const [a, b] = [join(folder, 'set-data.img'), join(folder, 'set-logs.img')];
    const set = `default/db@${ids()[1]}`;
    const text = await printed(set, '--repo', root, '--file', '--to', `data=${a}`, '--to', `logs=${b}`);
    sh(text);
    for (const path of [a, b]) expect(readFileSync(path).equals(states[1] as Uint8Array)).toBe(true);
    const again = spawnSync('sh', [], { input: text, env: { ...process.env, TMPDIR: scratch } });
    expect([again.status, readdirSync(scratch)]).toEqual([1, []]);
  });

  needs('loop')('to a device', () => {
    it.each([
      ['as large', 0, 512],
      ['larger', 3 * cluster + 512, 512],
      ['of 4 KiB sectors', 3 * cluster - 512, 4096],
    ] as const)('that is %s', async (_, more, sectorSize) => {
      const file = join(mkdtempSync(join(folder, 'loop-')), 'target');
      writeFileSync(file, new Uint8Array(size + more).fill(0x77));
      await using target = await attach(file, { sectorSize });
      sh(await printed(addressOf(9), '--repo', root, '--to', target.device));
      const found = readFileSync(target.device);
      expect(found.subarray(0, size).equals(states[9] as Uint8Array)).toBe(true);
      expect(found.subarray(size).every((byte) => byte === 0)).toBe(true);
    });

    it('that is too small: nothing is written', async () => {
      const file = join(mkdtempSync(join(folder, 'loop-')), 'target');
      writeFileSync(file, new Uint8Array(size - 512).fill(0x77));
      await using target = await attach(file);
      const text = await printed(addressOf(9), '--repo', root, '--to', target.device);
      expect(spawnSync('sh', [], { input: text }).status).toBe(1);
      expect(readFileSync(target.device).every((byte) => byte === 0x77)).toBe(true);
    });
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '@platter/host/door';
import { local } from '@platter/host/local';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { checkCode, create, type Dice, dice, difference, qemu } from '../../../e2e/ground/images.ts';
import { done, tool } from '../test/tool.ts';
import { type Chain, capturedChain, looseChain } from './chains.ts';
import { flip } from './repository.ts';

/** Chains of each of the two kinds; PLATTER_ROUNDS asks for more, PLATTER_SEED for others. */
const ROUNDS = Number(process.env.PLATTER_ROUNDS ?? 150);
const SEED = Number(process.env.PLATTER_SEED ?? 1);
/** Of this many chains one is also restored by QEMU and by the printed script. */
const BY_OTHERS = 8;

const plain = { clusterBits: 16, extended: false, zstd: false, version2: false, order: 4, preallocated: false };

const folder = mkdtempSync(join(tmpdir(), 'platter-oracle-'));
const place = join(folder, 'place');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clean = () => {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(join(place, 'repo'), { recursive: true });
};
beforeEach(clean);

/** All points of a short chain; the last and some of a long one. */
const pointsOf = (roll: Dice, links: number): number[] =>
  links <= 8 ? Array.from({ length: links }, (_, n) => n) : [links - 1, ...[0, 0, 0].map(() => roll.below(links - 1))];

const goal = join(place, 'restored');

async function restored(words: readonly string[]): Promise<Uint8Array> {
  rmSync(goal, { force: true });
  await done(['restore', ...words, '--file', '--to', goal]);
  return readFileSync(goal);
}

/** What the printed script leaves, run by a shell. */
async function scripted(words: readonly string[]): Promise<Uint8Array> {
  rmSync(goal, { force: true });
  const { text } = await done(['restore', ...words, '--file', '--to', goal, '--plan=sh']);
  execFileSync('sh', [], { input: text.join('\n'), stdio: ['pipe', 'ignore', 'inherit'] });
  return readFileSync(goal);
}

interface Trial {
  chain: Chain;
  roll: Dice;
  what: string;
  /** The words that name the n-th point. */
  words(n: number): string[];
}

/** Every point by ourselves as by QEMU; and now and then the last one by QEMU under our hand, and by the script. */
async function same({ chain, roll, what, words }: Trial, round: number): Promise<void> {
  for (const n of pointsOf(roll, chain.files.length)) {
    const own = await restored([...words(n), '--verify', roll.pick(['none', 'sample', 'full'])]);
    expect(difference(own, chain.content(n)), `${what}, point ${n}`).toBe(-1);
  }
  if (round % BY_OTHERS !== 0) return;
  const last = chain.files.length - 1;
  const content = chain.content(last);
  expect(difference(await restored([...words(last), '--engine', 'qemu']), content), `${what}, by qemu`).toBe(-1);
  expect(difference(await scripted(words(last)), content), `${what}, by the script`).toBe(-1);
  await done(['validate', ...words(last), '--oracle']);
}

describe('validate --oracle', () => {
  const three = async (): Promise<string[]> => {
    const files = ['a', 'b', 'c'].map((name) => join(place, name));
    for (const [n, file] of files.entries()) {
      create(file, { size: 3 * 65_536, how: plain });
      qemu('qemu-io', ['-f', 'qcow2', '-c', `write -q -P ${n + 1} ${n * 65_536} 64k`, file]);
    }
    return files;
  };

  it('finds what the engines do not agree on, and leaves no scratch', async () => {
    const files = await three();
    const machine = local();
    const made: string[] = [];
    const host: Host = {
      ...machine,
      async change(change) {
        if (change.op === 'mkdir') made.push(change.path);
        const effect = await machine.change(change);
        if (change.op === 'run' && change.args.includes('convert')) flip(change.args.at(-1) as string, 70_000);
        return effect;
      },
    };
    const words = ['validate', '--files', ...files, '--oracle'];
    const { code, failure } = await tool(words, { host });
    expect([code, failure?.details.by]).toEqual([5, expect.stringContaining('restored by QEMU it is not what')]);
    expect(failure?.details.by).toContain(files[2]);
    expect((await tool(words)).code).toBe(0);
    expect(made.map((path) => existsSync(path))).toEqual([false]);
    expect((await tool([...words, '--level', 'meta'])).code).toBe(2);
  });
});

describe('the oracle', () => {
  it(`${ROUNDS} random chains of loose files restore as qemu-img converts them, and nothing is said against them`, {
    timeout: ROUNDS * 10_000,
  }, async () => {
    let spoiled = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      clean();
      const seed = SEED * 400_009 + round;
      const roll = dice(seed);
      const chain = looseChain(roll, place);
      const what = `seed ${seed} ${chain.told}`;
      // QEMU 7.2 now and then puts data into a host cluster that compressed clusters use.
      if (chain.files.some((file) => checkCode(file) === 2)) {
        spoiled += 1;
        expect((await tool(['validate', '--files', ...chain.files])).code, what).toBe(5);
        continue;
      }
      for (const level of ['meta', 'fast', 'deep'])
        await done(['validate', '--files', ...chain.files, '--level', level]);
      await same({ chain, roll, what, words: (n) => ['--files', ...chain.files.slice(0, n + 1)] }, round);
    }
    expect(spoiled).toBeLessThan(ROUNDS / 10);
  });

  it(`${ROUNDS} random chains of our own restore as qemu-img converts them and as their source was, and are sound`, {
    timeout: ROUNDS * 10_000,
  }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      clean();
      const seed = SEED * 500_009 + round;
      const roll = dice(seed);
      const root = join(place, 'repo');
      const chain = await capturedChain(roll, root);
      const what = `seed ${seed} ${chain.told}`;
      for (const file of chain.files) expect(checkCode(file), what).toBe(0);
      for (const [n, source] of chain.sources.entries())
        expect(difference(chain.content(n), source), `${what}, source of ${n}`).toBe(-1);
      for (const level of ['meta', 'fast', 'deep']) await done(['validate', '--repo', root, '--level', level]);
      await same({ chain, roll, what, words: (n) => [chain.addresses[n] as string, '--repo', root] }, round);
    }
  });
});

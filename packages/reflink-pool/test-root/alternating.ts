import { randomBytes } from 'node:crypto';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TestPool } from './pool.ts';
import type { QubesVolume } from './qubes.ts';

/** The other driver on the same files. */
export type Driver = Record<'start' | 'stop', () => Promise<unknown>> & {
  revert(number: number): Promise<unknown>;
  resize(size: number): Promise<unknown>;
  import(content: Buffer): Promise<unknown>;
};

/** An image is who it is, not what it holds: a copy is another one. */
interface Image {
  content: Buffer;
}

/** Numbers below `below` from a seed: the same ones every time. */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What both must make of one volume: its head, what is written, and which number names which image. */
export class Model {
  head: Image;
  work: Buffer | null = null;
  readonly revisions = new Map<number, Image>();

  constructor(content: Buffer) {
    this.head = { content };
  }

  get highest(): number {
    return Math.max(0, ...this.revisions.keys());
  }

  /** A number for the head: another name of it, or a copy. */
  name(image: Image): number {
    const number = this.highest + 1;
    this.revisions.set(number, image);
    return number;
  }

  /** Our rule: the highest name is the head's, or a further one is made. Its number, null when none was made. */
  save(): number {
    return this.revisions.get(this.highest) === this.head ? this.highest : this.name(this.head);
  }

  /** Numbers that retention lets go under any policy: a higher one names the same image, which is not the head's. */
  get duplicates(): number[] {
    const named = [...this.revisions].filter(([, image]) => image !== this.head);
    return named
      .filter(([number, image]) => named.some((one) => one[0] > number && one[1] === image))
      .map(([number]) => number);
  }

  /** Their rule: a copy under the next number, of which the last `keep` stay. */
  copy(keep: number): void {
    this.name({ ...this.head });
    for (const number of [...this.revisions.keys()].sort((a, b) => a - b).slice(0, -keep))
      this.revisions.delete(number);
  }
}

export interface Scene {
  pool: TestPool;
  volume: QubesVolume;
  driver: Driver;
  model: Model;
  name: string;
  keep: number;
  roll: (below: number) => number;
}

/** The files are what the model says, byte for byte. */
export async function check({ volume, model }: Scene): Promise<void> {
  expect((await readFile(volume.head)).equals(model.head.content)).toBe(true);
  const work = await access(volume.work).then(
    () => readFile(volume.work),
    () => null,
  );
  expect([work === null, work === null || work.equals(model.work ?? Buffer.alloc(0))]).toEqual([
    model.work === null,
    true,
  ]);
  const found = await volume.revisions();
  expect(found.map(([number]) => number)).toEqual([...model.revisions.keys()].sort((a, b) => a - b));
  for (const [number, path] of found)
    expect([number, (await readFile(path)).equals(model.revisions.get(number)?.content ?? Buffer.alloc(0))]).toEqual([
      number,
      true,
    ]);
}

const size = 65_536;
const fresh = () => Buffer.concat([randomBytes(4096), Buffer.alloc(size - 4096)]);
const resized = (content: Buffer, to: number) => Buffer.concat([content, Buffer.alloc(to)]).subarray(0, to);

type Verb = (scene: Scene) => Promise<unknown>;

async function guest({ pool, name, model, roll }: Scene): Promise<void> {
  if (model.work === null) return;
  const [at, bytes] = [roll(model.work.length - 512), randomBytes(512)];
  await pool.write(`${name}-dirty.img`, at, bytes);
  bytes.copy(model.work, at);
}

/** A state to go back to; undefined while a working copy is out. */
function target({ model, roll }: Scene, other = false): number | undefined {
  const numbers = [...model.revisions].filter(([, image]) => !other || image !== model.head).map(([number]) => number);
  return model.work === null ? numbers[roll(numbers.length || 1)] : undefined;
}

const theirs: Verb[] = [
  async ({ driver, model }) => {
    await driver.start();
    model.work ??= Buffer.from(model.head.content);
  },
  async ({ driver, model, keep }) => {
    await driver.stop();
    if (model.work === null) return;
    model.copy(keep);
    [model.head, model.work] = [{ content: model.work }, null];
  },
  async (scene) => {
    const number = target(scene, true);
    if (number === undefined) return;
    const { driver, model } = scene;
    await driver.revert(number);
    const image = model.revisions.get(number) as Image;
    model.name({ ...model.head });
    model.revisions.delete(number);
    model.head = image;
  },
  async ({ driver, model, roll }) => {
    const to = size + 4096 * roll(8);
    await driver.resize(to);
    if (model.work === null) model.head = { content: resized(model.head.content, to) };
    else model.work = resized(model.work, to);
  },
  async ({ driver, model, keep }) => {
    if (model.work !== null) return;
    const content = fresh();
    await driver.import(content);
    model.copy(keep);
    model.head = { content };
  },
];

/** What a verb let go was a further name of what stays; everything else is kept. */
function drop(model: Model, numbers: readonly number[]): void {
  expect(model.duplicates).toEqual(expect.arrayContaining([...numbers]));
  for (const number of numbers) model.revisions.delete(number);
}

const ours: Verb[] = [
  async ({ pool, model, name }) => {
    await pool.say('start', name, '--reserve', '0');
    model.work ??= Buffer.from(model.head.content);
  },
  async ({ pool, model, name }) => {
    const [commit] = await pool.tell('stop', name);
    if (model.work === null) return drop(model, commit?.pruned as number[]);
    if (commit?.outcome === 'unchanged') expect(model.work.equals(model.head.content)).toBe(true);
    else {
      expect(commit).toMatchObject({ outcome: 'committed', savedAs: model.save() });
      model.head = { content: model.work };
    }
    model.work = null;
    drop(model, commit?.pruned as number[]);
  },
  async (scene) => {
    const number = target(scene);
    if (number === undefined) return;
    const { pool, model, name } = scene;
    const image = model.revisions.get(number) as Image;
    const [revert] = await pool.tell('revert', `${name}@${number}`);
    expect(revert).toMatchObject(image === model.head ? { outcome: 'already' } : { savedAs: model.save() });
    model.head = image;
  },
  async ({ pool, model, name }) => {
    if (model.work !== null) return;
    const [content, file] = [fresh(), join(pool.path, '../import.raw')];
    await writeFile(file, content);
    expect(await pool.tell('import', name, file, '--copy')).toMatchObject([
      { outcome: 'imported', savedAs: model.save() },
    ]);
    model.head = { content };
    drop(model, model.duplicates);
  },
  async ({ pool, model, name, roll }) => {
    const { length } = model.work ?? model.head.content;
    const to = length + 4096 * (1 + roll(4));
    await pool.say('resize', name, String(to));
    if (model.work !== null) model.work = resized(model.work, to);
    else {
      model.save();
      model.head = { content: resized(model.head.content, to) };
    }
  },
  async ({ pool, model, name }) => {
    for (const further of [[], ['--release']]) await pool.say('pin', `${name}@head`, '--owner', 'test', ...further);
    model.save();
  },
  async ({ pool, name }) => {
    await pool.say('adopt', name);
    await pool.say('verify', name);
  },
];

/** Everything of ours beside the images goes, and an adoption finds all of them again. */
export async function lose({ pool, model, name }: Scene): Promise<void> {
  await rm(join(pool.path, '.platter'), { recursive: true });
  await pool.say('adopt');
  const numbers = (await pool.tell('list', '--revisions'))
    .filter(({ volume }) => volume === name)
    .map(({ number }) => number);
  expect(numbers).toEqual([...model.revisions.keys()].sort((a, b) => (a as number) - (b as number)));
  expect(await pool.say('list', '-o', 'name')).toContain(name);
}

/** Random verbs of both drivers in turn, with a guest between them; after each the files are what the model says. */
export async function alternate(scene: Scene, verbs: number, losing = false): Promise<void> {
  for (let done = 0; done < verbs; done += 1) {
    const own = done % 2 === 0 ? ours : theirs;
    if (losing && scene.roll(6) === 0) await lose(scene);
    await (own[scene.roll(own.length)] as Verb)(scene);
    await check(scene);
    if (scene.roll(2) === 0) await guest(scene);
  }
}

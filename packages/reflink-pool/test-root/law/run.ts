import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { type Act, actOf, blocks, type Deed, letterOf } from './deeds.ts';
import type { Ground, Lying } from './ground.ts';
import { exists, fresh, lost, type Told, volumeOf, type World } from './model.ts';
import { expected, observed, type Picture } from './picture.ts';

type Ended = { told: Told; world: World; stages: World[] };

/** The model through one verb, with the states in which a kill may leave it. */
function through(before: World, act: Act, sees: boolean): Ended {
  const world = structuredClone(before);
  const stages = [before];
  const steps = act.steps(world, sees);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return { told: value as Told, world, stages: [...stages, world] };
    stages.push(structuredClone(world));
  }
}

/** The highest number of a volume that exports tell of. */
const traced = ({ exports }: World, name: string) =>
  Math.max(0, ...exports.filter(({ volume }) => volume === name).map(({ number }) => number ?? 0));

/** A pool and all worlds it may be. */
export class Run {
  worlds: World[] = [{ volumes: {}, exports: [], boot: 1, ids: 0, clock: 0, held: null }];
  readonly #ground: Ground;
  /** What each committed image held when it was first seen, by inode and birth. */
  #committed = new Map<string, string>();
  /** The image that each number was given to, by volume and number. */
  #given = new Map<string, string>();

  readonly #sum: { verbs: number; kills: number };

  constructor(ground: Ground, sum: { verbs: number; kills: number }) {
    this.#ground = ground;
    this.#sum = sum;
  }

  get #world(): World {
    return this.worlds[0] as World;
  }

  async does(some: Deed, index: number): Promise<void> {
    const deed = some.verb === 'next' ? { ...some, ...this.#next(some) } : some;
    const { verb, on } = deed;
    if (verb === 'write') return this.#write(deed, index);
    if (verb === 'reboot') return this.#reboot();
    if (verb.startsWith('lose-')) return this.#lose(on, verb.slice(5));
    const work = volumeOf(this.#world, on).work !== null;
    if (deed.held && work)
      await this.#ground.holding(`${on}-dirty.img`, () => this.#say({ ...deed, kill: null }, index));
    else await this.#say({ ...deed, held: false }, index);
  }

  /** What a volume usually goes through: it is created, started, written, stopped, and again. */
  #next({ on, n }: Deed): Pick<Deed, 'verb' | 'n'> {
    const v = volumeOf(this.#world, on);
    if (!exists(v)) return { verb: 'create', n: 0 };
    if (v.work === null) return { verb: 'start', n: 0 };
    return v.work.time === v.head?.time ? { verb: 'write', n } : { verb: 'stop', n: 0 };
  }

  async #write({ on, n }: Deed, index: number): Promise<void> {
    if (volumeOf(this.#world, on).work === null) return;
    const at = n % Math.min(blocks, volumeOf(this.#world, on).work?.bytes.length ?? 1);
    await this.#ground.scribble(`${on}-dirty.img`, at, letterOf(index));
    for (const world of this.worlds) {
      const { work } = volumeOf(world, on);
      if (work === null) continue;
      const bytes = work.bytes.slice(0, at) + letterOf(index) + work.bytes.slice(at + 1);
      volumeOf(world, on).work = { ...fresh(world, bytes), id: work.id };
    }
  }

  #reboot(): void {
    for (const world of this.worlds) world.boot += 1;
    this.#ground.boot = `boot-${this.#world.boot}`;
  }

  async #lose(on: string, what: string): Promise<void> {
    if (what !== 'sessions') await this.#ground.lose('volumes', on);
    if (what !== 'volumes') await this.#ground.lose('sessions', on);
    for (const world of this.worlds) {
      const v = volumeOf(world, on);
      const { head, work, prepared, names, session } = v;
      if (what !== 'volumes') v.session = null;
      if (what !== 'sessions')
        world.volumes[on] = {
          ...structuredClone(lost),
          counter: traced(world, on),
          head,
          work,
          prepared,
          names,
          session: what === 'both' ? null : session,
        };
    }
    if (what !== 'sessions') this.#forget(on);
  }

  /** After a lost sidecar a number is known while a name has it or an export tells of it: one above may come again. */
  #forget(on: string): void {
    const top = Math.max(traced(this.#world, on), ...volumeOf(this.#world, on).names.map(({ number }) => number));
    for (const key of this.#given.keys()) {
      const [volume, number] = key.split('@');
      if (volume === on && Number(number) > top) this.#given.delete(key);
    }
  }

  /** A volume that is removed, or that the next verb will remove to its end, has had its numbers: one of its name begins anew. */
  #forgetGone(): void {
    for (const key of this.#given.keys()) {
      const v = volumeOf(this.#world, key.slice(0, key.lastIndexOf('@')));
      if (v.removing || !(exists(v) || v.stored)) this.#given.delete(key);
    }
  }

  async #say(deed: Deed, index: number): Promise<void> {
    const act = actOf(deed, this.#world, index);
    const ground = this.#ground;
    for (const world of this.worlds) world.held = deed.held ? deed.on : null;
    const said = await ground.say(act.line, {
      kill: deed.kill,
      ...(act.stdin === undefined ? {} : { stdin: act.stdin }),
    });
    this.#sum.verbs += 1;
    if (said === null) this.#sum.kills += 1;
    const files = await ground.files();
    const picture = await observed(ground, files);
    const ends = this.worlds.flatMap((world) => [true, false].map((sees) => through(world, act, sees)));
    const [record] = said?.records ?? [];
    const told = said && {
      code: said.code,
      ...(record?.outcome === undefined ? {} : { outcome: record.outcome }),
      ...(record?.savedAs === undefined ? {} : { savedAs: record.savedAs }),
    };
    this.worlds =
      said === null
        ? this.#afterKill(ends, picture, act)
        : this.#after(ends, { told, picture, why: said.failure?.message }, act);
    this.#look(files, act.locks ?? deed.on, said !== null);
    this.#forgetGone();
  }

  #after(ends: Ended[], seen: { told: unknown; picture: Picture; why: string | undefined }, { line }: Act): World[] {
    const could = ends.map(({ told, world }) => ({ told, picture: expected(world), world }));
    const right = could.filter(({ told, picture }) =>
      isDeepStrictEqual({ told, picture }, { told: seen.told, picture: seen.picture }),
    );
    const [first] = could;
    if (right.length === 0)
      expect({ line, ...seen }).toEqual({ line, told: first?.told, picture: first?.picture, why: seen.why });
    return unlike(right.map(({ world }) => world));
  }

  #afterKill(ends: Ended[], picture: Picture, { line }: Act): World[] {
    const could = unlike(ends.flatMap(({ stages }) => stages));
    const right = could.filter((world) => isDeepStrictEqual(expected(world), picture));
    if (right.length === 0)
      expect({ line, killed: picture }).toEqual({ line, killed: expected(could.at(-1) as World) });
    return right;
  }

  /** What holds of the files themselves, whatever the model says. */
  #look(files: readonly Lying[], on: string, whole: boolean): void {
    for (const { path, inode, mode, nlink, mtimeNs, text } of files) {
      const [, volume, number, time] = /^(.*)\.img\.(\d+)@(.*)Z$/.exec(path) ?? [];
      if (path.endsWith('-dirty.img')) expect([path, nlink]).toEqual([path, 1]);
      if (number === undefined && !/^[^~]*\.img$/.test(path.replace(/-(dirty|precache|import)\.img$/, ''))) continue;
      expect([path, mode]).toEqual([path, 0o400]);
      expect([path, this.#committed.get(inode) ?? text]).toEqual([path, text]);
      this.#committed.set(inode, text);
      if (number === undefined || time === undefined) continue;
      expect([path, time]).toEqual([path, new Date(Number(mtimeNs / 1_000_000n)).toISOString().slice(0, 19)]);
      const key = `${volume}@${number}`;
      expect([key, this.#given.get(key) ?? inode]).toEqual([key, inode]);
      this.#given.set(key, inode);
    }
    const own = new RegExp(`^${on.replaceAll('.', '\\.')}(-(dirty|precache|import))?\\.img(\\.[^/]*)?~`);
    const left = files.filter(({ path }) => own.test(path));
    if (whole) expect(left.map(({ path }) => path)).toEqual([]);
  }
}

/** Worlds that differ in something that will matter. */
function unlike(worlds: readonly World[]): World[] {
  const told = new Map<string, World>();
  for (const world of worlds) {
    const { ids: _, clock: __, ...rest } = world;
    told.set(JSON.stringify(rest), world);
  }
  return [...told.values()];
}

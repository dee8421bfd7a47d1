import { type Facts, type Scripted, scripted } from '@platter/host/scripted';

/** What lies at each path: a file's text, 'dir', 'link', 'fifo' ... or what happens to one who looks. */
export type World = Record<string, string | { kind: string } | (() => never)>;

export const dir = { kind: 'dir' };
const enoent = /^(stat|list|bytes|text) (\/.*)$/;

/** A scripted machine of these files. What is not there is absent; directories on the way to a file are. */
export function machine(world: World, more: Facts = {}): Scripted {
  const files: World = { '/': dir, ...parents(world), ...world };
  const answer = (op: string, path: string): unknown => {
    const found = files[path];
    if (typeof found === 'function') return found();
    if (op === 'stat') return statOf(found);
    if (op === 'list') return listOf(files, path);
    return typeof found === 'string' ? new TextEncoder().encode(found) : null;
  };
  const facts = new Proxy(more, {
    has: (given, name) => name in given || enoent.test(String(name)),
    get: (given, name) => {
      const [, op, path] = enoent.exec(String(name)) ?? [];
      return String(name) in given || op === undefined || path === undefined ? given[String(name)] : answer(op, path);
    },
  });
  return scripted(facts);
}

function parents(world: World): World {
  const made: World = {};
  for (const path of Object.keys(world)) {
    const parts = path.split('/').slice(1, -1);
    for (const n of parts.keys()) made[`/${parts.slice(0, n + 1).join('/')}`] = dir;
  }
  return made;
}

function statOf(found: World[string] | undefined): unknown {
  if (found === undefined) return null;
  const kind = typeof found === 'string' ? 'file' : (found as { kind: string }).kind;
  return { kind, size: typeof found === 'string' ? found.length : 0, mtimeNs: 1_780_387_900_000_000_000n };
}

function listOf(files: World, path: string): unknown {
  if (!(path in files)) return null;
  const inside = Object.keys(files).filter((other) => other !== '/' && other.startsWith(`${path}/`.replace('//', '/')));
  const names = inside.map((other) => other.slice(path.length + 1)).filter((name) => !name.includes('/'));
  return names.sort().map((name) => ({ name, kind: (statOf(files[`${path}/${name}`]) as { kind: string }).kind }));
}

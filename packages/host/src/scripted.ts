import type { Answer, Change, Effect, Host, Output, Query } from './door.ts';
import { shown, shownProgram, shownQmp } from './shown.ts';

/** Facts by what is asked: `stat /a`, `text /a`, or the shell line of a program; a function is called at each look. */
export type Facts = Record<string, unknown>;

/** A host of given facts that notes every change as its shell line; a fact nobody gave is an error of the test. */
export interface Scripted extends Host {
  readonly changes: string[];
  readonly looks: string[];
}

const silent: Output = { code: 0, stdout: '', stderr: '', report: '' };
/** The output of a program, for a fact: exit 0 and nothing said unless given. */
export const output = (partial: Partial<Output>): Output => ({ ...silent, ...partial });

/** A scripted machine for tests. A fact for a change's line answers or, by throwing, fails that change. */
export function scripted(facts: Facts): Scripted {
  const changes: string[] = [];
  const looks: string[] = [];
  const fact = (name: string): unknown => {
    const given = facts[name];
    return typeof given === 'function' ? given() : given;
  };
  return {
    dry: false,
    changes,
    looks,
    query: async (query) => {
      const name = asked(query);
      looks.push(name);
      if (!(name in facts) && query.op !== 'lock') throw new Error(`nobody scripted: ${name}`);
      return (name in facts ? fact(name) : lockOf(query)) as Answer<typeof query>;
    },
    change: async (change) => {
      const name = shown(change);
      if (change.op !== 'lock') changes.push(name);
      return (name in facts ? fact(name) : effect(change)) as Effect<typeof change>;
    },
  };
}

function asked(query: Query): string {
  if (query.op === 'qmp') return shownQmp(query);
  return query.op === 'run' ? shownProgram(query) : `${query.op} ${query.path}`;
}

function lockOf({ path }: { path?: string } & object) {
  return { fd: -1, path, previous: '', release: () => {} };
}

function effect(change: Change): unknown {
  if (change.op === 'run') return silent;
  return change.op === 'lock' ? lockOf(change) : undefined;
}

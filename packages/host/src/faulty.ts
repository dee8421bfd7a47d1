import type { Change, Host } from './door.ts';
import { Failure } from './failure.ts';
import { shown } from './shown.ts';

const grammar = /^(kill|fail|enospc|int)@([1-9]\d*)$/;

/** What happens at which change: `kill@3` is SIGKILL right before the third. */
export interface Fault {
  what: string;
  at: number;
}

/** Reads PLATTER_FAULT: kill@N, fail@N, enospc@N or int@N. */
export function parseFault(text: string): Fault {
  const [, what, at] = grammar.exec(text) ?? [];
  if (what === undefined)
    throw new Failure('usage', `PLATTER_FAULT=${text} is none of kill@N, fail@N, enospc@N, int@N`);
  return { what, at: Number(at) };
}

/** Makes the N-th change fail, or kills or interrupts this process right before it; for tests of what a crash leaves. */
export function faulty(host: Host, { what, at }: Fault): Host {
  let count = 0;
  const strike = (change: Change) => {
    const line = shown(change);
    if (what === 'kill') process.kill(process.pid, 'SIGKILL');
    if (what === 'int') process.kill(process.pid, 'SIGINT');
    if (what === 'fail')
      throw new Failure('failed', `could not do "${line}": injected fault`, { cause: { code: 'EIO' } });
    if (what === 'enospc')
      throw new Failure('failed', `could not do "${line}": no space left on device`, { cause: { code: 'ENOSPC' } });
  };
  return {
    dry: host.dry,
    query: (query) => host.query(query),
    change: async (change) => {
      count += 1;
      if (count === at) strike(change);
      return host.change(change);
    },
  };
}

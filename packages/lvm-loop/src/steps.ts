import type { Change, Output, Program } from '@platter/host/door';
import { because } from '@platter/host/door';
import { Failure, Interrupted } from '@platter/host/failure';
import { lastLine } from '@platter/host/outcome';
import { shown } from '@platter/host/shown';
import type { Deed, Session } from './session.ts';

/** A device that a dry run cannot know yet, as it stands in its lines; the shell reads it as a variable. */
export const deviceToCome = (file: string): string => `@${file}@`;

export const isToCome = (device: string): boolean => device.startsWith('@');

const variable = (file: string) => `loop_${file.replaceAll('-', '_')}`;

/** A shell line with the devices to come as variables, also inside single quotes. */
function withVariables(line: string): string {
  const outside = /('[^']*')|@([a-z0-9-]+)@/g;
  return line.replace(outside, (whole, quoted: string | undefined, file: string) =>
    quoted === undefined
      ? `"$${variable(file)}"`
      : whole.replace(/@([a-z0-9-]+)@/g, (_, inner) => `'"$${variable(inner)}"'`),
  );
}

/** A device as a word of a shell line. */
export const shellOf = (device: string): string => withVariables(device);

/** The shell line that gives a device to come its name. */
export const named = (file: string, line: string): string => `${variable(file)}=$(${line})`;

/** How a change looks in a dry run, where its own shell line would not do. */
export interface Look {
  shell?: string;
}

async function rehearse({ call }: Session, deed: Deed, shell: string): Promise<void> {
  const step = { apiVersion: 'platter.dev/v1', kind: 'Step', ...deed, shell } as const;
  await call.emit(step, { text: `${shell}${deed.reason === '' ? '' : `  # ${deed.reason}`}` });
}

/** Makes the changes of one deed one by one, and notes it; a dry run shows them. */
export async function make(session: Session, deed: Deed, changes: readonly (Change & Look)[]): Promise<void> {
  for (const { shell, ...change } of changes)
    if (session.host.dry) await rehearse(session, deed, shell ?? withVariables(shown(change as Change)));
    else await session.host.change(because(change as Change, deed.reason));
  session.deeds.push(deed);
}

/** A program to run, and why. */
export interface Act {
  deed: Deed;
  program: Program & Look;
}

/** The fact a change is to bring about: null when it is there, else what is wrong with it. */
export type Proof = () => Promise<string | null>;

/**
 * Runs a program and judges it by the fact read after it, not by its exit code: a failure that did its work is noted
 * and passed, a success that did not is Failure failed.
 */
export async function prove(session: Session, { deed, program }: Act, proof: Proof): Promise<void> {
  if (session.host.dry) return make(session, deed, [program]);
  const { shell: _, ...bare } = program;
  const end = await ended(session, deed, bare);
  const wrong = await proof();
  if (wrong !== null) throw end instanceof Error ? end : failed(bare, end, wrong);
  if (end instanceof Error || end.code !== 0)
    session.call.note(`${deed.object}: ${bare.program} complained, yet it is done`);
  session.deeds.push(deed);
}

async function ended({ host }: Session, deed: Deed, program: Program): Promise<Output | Error> {
  try {
    return await host.change(because(program, deed.reason));
  } catch (error) {
    if (error instanceof Interrupted || !(error instanceof Failure)) throw error;
    return error;
  }
}

function failed({ program, args }: Program, output: Output, wrong: string): Failure {
  const how = output.code === null ? 'was killed or timed out' : `ended with exit ${output.code}`;
  const said = lastLine(output);
  const name = program === 'lvm' ? `lvm ${args[0]}` : program;
  return new Failure('failed', `${name} ${how}, and ${wrong}`, said === '' ? {} : { details: { said } });
}

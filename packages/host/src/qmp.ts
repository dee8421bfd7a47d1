import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { QmpCommand } from './door.ts';
import { errno, Failure } from './failure.ts';

/** A line of QMP may be so long before its speaker is taken for something else. */
const longestLine = 2 ** 26;

/** How long QEMU may take to greet and to answer, in ms, unless said. */
const patience = 30_000;

/** One message of the server, of which one member says what it is (docs/interop/qmp-spec.txt). */
type Message = { QMP?: unknown; return?: unknown; error?: { class?: string; desc?: string }; event?: string };

const noQmp = (path: string, cause?: unknown) => new Failure('unsupported', `${path} does not speak QMP`, { cause });

function messageOf(path: string, line: string): Message {
  try {
    const message = JSON.parse(line) as Message | null;
    if (typeof message === 'object' && message !== null) return message;
  } catch (cause) {
    throw noQmp(path, cause);
  }
  throw noQmp(path);
}

/** The messages of a connection, events left out; it ends where the server ends it. */
async function* messages(path: string, socket: Socket): AsyncGenerator<Message, undefined> {
  let rest = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) throw noQmp(path);
    for (const line of lines.filter((one) => one.trim() !== '')) {
      const message = messageOf(path, line);
      if (message.event === undefined) yield message;
    }
  }
}

async function next(path: string, from: AsyncGenerator<Message, undefined>): Promise<Message> {
  const { value } = await from.next();
  if (value !== undefined) return value;
  throw new Failure('failed', `QEMU closed ${path} before it answered: could not tell`);
}

/** One command, its return; an error of QEMU is Failure failed with its description. */
async function ask(path: string, { socket, from }: Talk, message: object): Promise<unknown> {
  socket.write(`${JSON.stringify(message)}\n`);
  const { error, ...answer } = await next(path, from);
  const { execute } = message as { execute: string };
  if (error !== undefined)
    throw new Failure('failed', `QEMU refused ${execute}`, { details: { said: error.desc ?? error.class ?? '' } });
  if (!('return' in answer)) throw noQmp(path);
  return answer.return;
}

interface Talk {
  socket: Socket;
  from: AsyncGenerator<Message, undefined>;
}

async function converse({ path, execute, arguments: words }: QmpCommand, talk: Talk, greeted: () => void) {
  const greeting = await next(path, talk.from);
  if (greeting.QMP === undefined) throw noQmp(path);
  greeted();
  await ask(path, talk, { execute: 'qmp_capabilities' });
  return ask(path, talk, words === undefined ? { execute } : { execute, arguments: words });
}

const unanswered: Record<string, (path: string) => Failure> = {
  ENOENT: (path) => new Failure('refused', `there is no socket ${path}`),
  ECONNREFUSED: (path) => new Failure('busy', `nobody answers at ${path}`, { hint: 'try again when the machine runs' }),
};

function late(path: string, isGreeted: boolean): Failure {
  if (isGreeted) return new Failure('failed', `QEMU did not answer at ${path} in time: could not tell`);
  const hint = 'a monitor serves one client at a time: give this tool one of its own';
  return new Failure('busy', `QEMU does not greet at ${path}`, { hint });
}

function explained(path: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  const code = errno(error) ?? '';
  return (
    unanswered[code]?.(path) ?? new Failure('failed', `could not speak to QEMU at ${path}: ${code}`, { cause: error })
  );
}

/**
 * Runs one command over a QMP socket: connects, negotiates, asks, gives what it returns, and disconnects; events in
 * between are skipped. Nobody there: busy; something else there: unsupported; an error, no answer or an end before
 * one: failed.
 */
export async function qmp(command: QmpCommand): Promise<unknown> {
  const { path, after = 0, timeout = patience } = command;
  if (after > 0) await pause(after);
  const socket = connect(path);
  const state = { greeted: false };
  const timer = setTimeout(() => socket.destroy(late(path, state.greeted)), timeout);
  try {
    const greeted = () => {
      state.greeted = true;
    };
    return await converse(command, { socket, from: messages(path, socket) }, greeted);
  } catch (error) {
    throw explained(path, error);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

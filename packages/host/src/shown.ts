import { shellLine } from '@platter/units/shell';
import type { Change, Program, QmpCommand } from './door.ts';

const octal = (mode: number) => mode.toString(8).padStart(4, '0');

/** A program as the shell line that runs it: its own variables, its words, its input as a here-string of printf. */
export function shownProgram({ program, args, env = {}, input, cwd }: Program): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const line = shellLine([...(variables.length > 0 ? ['env', ...variables] : []), program, ...args]);
  const fed = typeof input === 'string' ? `${shellLine(['printf', '%s', input])} | ${line}` : line;
  return cwd === undefined ? fed : `(cd ${shellLine([cwd])} && ${fed})`;
}

/** A QMP command as a shell line; the pause keeps the connection until the answer is there. */
export function shownQmp({ path, execute, arguments: words }: QmpCommand): string {
  const command = JSON.stringify(words === undefined ? { execute } : { execute, arguments: words });
  const lines = shellLine(['printf', '%s\\n', '{"execute":"qmp_capabilities"}', command]);
  return `(${lines}; sleep 1) | ${shellLine(['socat', '-', `UNIX-CONNECT:${path}`])}`;
}

function written(change: Change & { op: 'write' }): string {
  const { path, data, mode, shell } = change;
  const target = shellLine([path]);
  const make = `install -m ${octal(mode)} /dev/null ${target}`;
  if (shell !== undefined) return `${make} && ${shell} > ${target}`;
  if (data.length === 0) return make;
  if (typeof data !== 'string')
    return `${make} && printf %s ${Buffer.from(data).toString('base64')} | base64 -d > ${target}`;
  return `${make} && ${shellLine(['printf', '%s', data])} > ${target}`;
}

/** The shell line that would make this change; what only makes it durable shows as `sync`. */
export function shown(change: Change): string {
  switch (change.op) {
    case 'run':
      return shownProgram(change);
    case 'qmp':
      return shownQmp(change);
    case 'lock':
      return `# lock ${change.path}`;
    case 'write':
      return written(change);
    case 'copy':
      return shellLine(['cp', ...copyWords(change)]);
    case 'link':
      return shellLine(['ln', '-T', '--', change.from, change.to]);
    case 'rename':
      return shellLine(['mv', '-T', '--', change.from, change.to]);
    case 'remove':
      return shellLine(change.dir ? ['rmdir', '--', change.path] : ['rm', '-f', '--', change.path]);
    case 'truncate':
      return shellLine(['truncate', '-s', String(change.size), '--', change.path]);
    case 'mkdir':
      return shellLine(['mkdir', '-m', octal(change.mode), '--', change.path]);
    case 'chmod':
      return shellLine(['chmod', octal(change.mode), '--', change.path]);
    case 'sync':
      return shellLine(['sync', '--', change.path]);
    case 'pour':
      return `# pour ${change.pieces.length} pieces into ${change.to.path}`;
  }
}

/** The words of coreutils cp for a copy: all extents shared, or bytes with holes kept as holes. */
export function copyWords({ from, to, reflink }: Change & { op: 'copy' }): string[] {
  const how = reflink ? ['--reflink=always'] : ['--reflink=never', '--sparse=always'];
  return [...how, '--preserve=timestamps', '--', from, to];
}

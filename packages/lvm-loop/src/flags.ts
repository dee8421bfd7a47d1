import { duration, given, integer, on, optional, several, text } from '@platter/command/flag';

/** What every verb takes. */
export const common = {
  dir: several({ ...text, value: 'DIR', help: 'a directory in or below which images live' }),
  node: optional({ ...text, value: 'NAME', help: 'the name of this node', env: 'PLATTER_NODE' }),
  'host-pid': optional({ ...integer, help: 'run programs in the namespaces of this process', env: 'PLATTER_HOST_PID' }),
  wait: given({ ...duration, help: 'wait so long for locks', default: '30s' }),
};

export const noActivate = on('leave the logical volumes inactive');

/** Values of the flags that every verb takes. */
export interface Common {
  dir: string[];
  node: string | undefined;
  'host-pid': number | undefined;
  wait: number;
}

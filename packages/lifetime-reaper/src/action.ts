import type { Host, Output } from '@platter/host/door';
import { run } from '@platter/host/looks';
import { lastLine } from '@platter/host/outcome';

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Errand {
  argv: readonly string[];
  /** The lease it is run for. */
  lease: string;
  timeoutSeconds: number;
}

/** Runs a person's command line with nothing of our environment but a plain PATH; null when it ended with 0, else why not. */
export async function perform(host: Host, { argv, lease, timeoutSeconds }: Errand): Promise<string | null> {
  const words = ['-i', `PATH=${path}`, 'LC_ALL=C', `PLATTER_LIFETIME=${lease}`, ...argv];
  return told(argv, await host.change(run('env', words, { timeout: timeoutSeconds * 1000 })));
}

function told(argv: readonly string[], output: Output): string | null {
  if (output.code === 0) return null;
  const how = output.code === null ? 'was not done in time' : `ended with exit ${output.code}`;
  const said = lastLine(output);
  return `${argv[0]} ${how}${said === '' ? '' : `: ${said}`}`;
}

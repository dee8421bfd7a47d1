import type { Host } from '../door.ts';
import { Failure } from '../failure.ts';
import { text } from '../looks.ts';

/** The kernel's name for this boot: facts bound to it end with a restart. */
export async function bootId(host: Host): Promise<string> {
  const id = await host.query(text('/proc/sys/kernel/random/boot_id'));
  if (id === null) throw new Failure('failed', 'could not tell which boot this is: there is no boot_id');
  return id.trim();
}

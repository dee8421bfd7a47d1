import { connect } from 'node:net';
import { failed } from './failing.ts';
import { errno } from './failure.ts';

const patience = 1000;
const nobody = ['ECONNREFUSED', 'ENOENT'];

/** What a server at a local socket says first, empty when it says nothing in time; null when nobody listens there. */
export function greeting({ path }: { path: string }): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const end = (said: string) => {
      socket.destroy();
      resolve(said);
    };
    socket.setTimeout(patience, () => end(''));
    socket.once('data', (said) => end(said.toString('latin1')));
    socket.once('end', () => end(''));
    socket.once('error', (error) => {
      if (nobody.includes(errno(error) ?? '')) resolve(null);
      else reject(failed(`connect to ${path}`, error));
    });
  });
}

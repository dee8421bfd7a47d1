import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../ground/folder.ts';
import { marksOf } from '../vm/cut.ts';
import { power } from '../vm/power.ts';

it('marks of a power cut: the first sync after other changes, and the end', () => {
  const told = [
    '> reading',
    '+ # lock a',
    '+ chmod 0400 b',
    '+ sync -- b',
    '+ sync -- c',
    'said',
    '+ mv b c',
    '+ sync -- .',
  ];
  expect(marksOf(told.join('\n'))).toEqual([
    { at: 3, change: '+ sync -- b' },
    { at: 6, change: '+ sync -- .' },
    { at: 'end', change: 'ended' },
  ]);
});

it('a power that goes takes along what runs on it', async () => {
  const on = power();
  const ended = on.run(['sleep', '60']);
  await on[Symbol.asyncDispose]();
  expect(await ended).toMatchObject({ code: null, signal: 'SIGKILL' });
});

it('a server is there with its socket, and its words are told when it ends before', async () => {
  await using folder = await tempFolder();
  await using on = power();
  const socket = join(folder.path, 'socket');
  await expect(on.serve(['sh', '-c', 'echo why >&2; exit 1'], socket)).rejects.toThrow(/why\n\(exit 1\)/);
  await writeFile(socket, '');
  await on.serve(['sleep', '60'], socket);
});

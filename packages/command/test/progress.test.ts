import { expect, it } from 'vitest';
import { meter } from '../src/progress.ts';

function drawn(mode: 'bar' | 'json' | 'none'): string[] {
  const [lines, clock] = [[] as string[], { ms: 0 }];
  const progress = meter({
    label: 'restore',
    total: 4096,
    mode,
    now: () => clock.ms,
    write: (text) => lines.push(text),
  });
  progress.update(1);
  clock.ms = 1000;
  progress.update(1024);
  progress.update(1025);
  progress.end();
  return lines;
}

it('machines get bytes, rate and time left, at most every 200 ms', () => {
  const facts = { kind: 'Progress', label: 'restore', done: 1024, total: 4096, bytesPerSecond: 1024, secondsLeft: 3 };
  expect(drawn('json').map((line) => JSON.parse(line))).toEqual([facts]);
});
it('people get a bar in place, cleared at the end', () =>
  expect(drawn('bar')).toEqual([
    '\rrestore [#####...............] 1 KiB of 4 KiB  1 KiB/s  3s left\x1b[K',
    '\r\x1b[K',
  ]));
it('nobody gets nothing', () => expect(drawn('none')).toEqual([]));

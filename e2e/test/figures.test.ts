import { expect, it } from 'vitest';
import { readFrom } from '../bench/benches/capture.ts';
import { median, paired } from '../bench/figures.ts';
import { measure } from '../bench/measure.ts';
import { table } from '../bench/page.ts';

it('takes the middle, and the mean of the middle two', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

it('compares round by round, so that a disturbed round does not count twice', () => {
  expect(paired([1, 100, 2], [2, 200, 1])).toEqual({ median: 0.5, low: 0.5, high: 2 });
});

it('runs both sides in turns, in every round, after one for memory', async () => {
  const order: string[] = [];
  const side = (label: string, argv: string[]) => ({ label, argv, prepare: async () => void order.push(label) });
  const setup = () => ({
    ours: side('a', ['sh', '-c', 'sleep 0.05']),
    theirs: { ...side('b', ['true']), told: () => 1 },
  });
  const result = await measure({ name: 'x', needs: [], rounds: 3, reach: 1, setup }, '.');
  expect(order.join('')).toBe('abab' + 'ba' + 'ab');
  expect(result.ours.ms).toHaveLength(3);
  expect(result.theirs.ms).toEqual([1, 1, 1]);
  expect(result.ours.median).toBeGreaterThanOrEqual(50);
  expect(result.ours.memory).toBeGreaterThan(0.5);
  expect(table([result])).toContain('1.00: missed');
});

it('fails with what a side said when it failed', async () => {
  const failing = { label: 'a', argv: ['sh', '-c', 'echo why >&2; exit 3'] };
  const run = measure(
    { name: 'x', needs: [], rounds: 1, reach: 1, setup: () => ({ ours: failing, theirs: failing }) },
    '.',
  );
  await expect(run).rejects.toThrow(/why/);
});

it('counts the bytes that were read from one file, failed reads and other files apart', () => {
  const calls = [
    'pread64(17</mnt/a.img>, ""..., 65536, 0) = 65536',
    'read(17</mnt/a.img>, "", 65536) = 0',
    'read(17</mnt/a.img>, 0x1, 65536) = -1 EIO (Input/output error)',
    'pread64(18</mnt/b.img>, ""..., 65536, 0) = 65536',
    'preadv(17</mnt/a.img>, [{iov_base=""..., iov_len=4096}], 1, 0) = 4096',
  ];
  expect(readFrom(calls, '/mnt/a.img')).toBe(69_632);
});

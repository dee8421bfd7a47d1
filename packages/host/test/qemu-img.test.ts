import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/failure.ts';
import type { Held } from '../src/hold.ts';
import { run } from '../src/looks.ts';
import { output, scripted } from '../src/scripted.ts';
import { check, convert, heldImage, parseCheck, progressReader } from '../src/tools/qemu-img.ts';

const pins: string[] = [];
const pin = () => {
  pins.push('pin');
  return () => void pins.push('unpin');
};
const held = { fd: 9, pin } as unknown as Held;
const program = run('qemu-img', ['check']);
const node = 'json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":"/proc/self/fd/3"}}';

describe('progress of qemu-img', () => {
  it('is told however the pipe splits it', () => {
    const text = '    (0.00/100%)\r    (12.34/100%)\r    (100.00/100%)\r\n';
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const shares: number[] = [];
        const read = progressReader((share) => shares.push(Math.round(share * 10_000)));
        const ends = [0, ...cuts.sort((a, b) => a - b), text.length];
        for (const [index, end] of ends.entries()) read(text.slice(ends[index - 1] ?? 0, end));
        expect(shares).toEqual([0, 1234, 10_000]);
      }),
    );
  });
});

describe('qemu-img check', () => {
  it.each([
    [0, '{"check-errors": 0}', 'clean', 0, 0],
    [2, '{"corruptions": 4, "leaks": 1}', 'corrupt', 4, 1],
    [3, '{"leaks": 7}', 'leaks', 0, 7],
    [63, '', 'unchecked', 0, 0],
  ])('ending with %d says so', (code, stdout, verdict, corruptions, leaks) => {
    expect(parseCheck(program, output({ code, stdout }))).toEqual({ verdict, corruptions, leaks });
  });

  it.each([1, 127, null])('ending with %s is a failure', (code) => {
    expect(() => parseCheck(program, output({ code, stderr: 'qemu-img: odd' }))).toThrow(Failure);
  });

  it('opens a judged descriptor without its backing file, with little memory', async () => {
    const line = `prlimit --as=4294967296 -- qemu-img check --output=json '${node}'`;
    const host = scripted({ [line]: output({ code: 0, stdout: '{}' }) });
    expect((await check(host, heldImage(held, 'qcow2'))).verdict).toBe('clean');
    expect(pins.splice(0)).toEqual(['pin', 'unpin']);
  });
});

describe('qemu-img convert', () => {
  const from = { path: '/a', format: 'raw' as const };

  it('takes what we made by its path', async () => {
    const host = scripted({});
    await convert(host, { from, to: '/b', as: 'raw', words: ['-n'] });
    expect(host.changes).toEqual(['qemu-img convert -p -n -f raw -O raw /a /b']);
  });

  it('takes a part of what was judged by its descriptor', async () => {
    const host = scripted({});
    await convert(host, { from: heldImage(held, 'raw', { at: 512, length: 1024 }), to: '/b', as: 'raw' });
    const file = '{"driver":"raw","file":{"driver":"file","filename":"/proc/self/fd/3"}}';
    const part = `json:{"driver":"raw","offset":512,"size":1024,"file":${file}}`;
    expect(host.changes).toEqual([`prlimit --as=4294967296 -- qemu-img convert -p -O raw '${part}' /b`]);
  });

  it.each([
    ['qemu-img: error while writing: No space left on device', 'no space left on device', 'ENOSPC'],
    ['qemu-img: odd', 'qemu-img failed with exit 1', undefined],
  ])('fails with what was said: %s', async (stderr, says, code) => {
    const host = scripted({ 'qemu-img convert -p -f raw -O raw /a /b': output({ code: 1, stderr }) });
    const failure = await convert(host, { from, to: '/b', as: 'raw' }).catch((error) => error);
    expect(failure.message).toContain(says);
    expect(failure.cause?.code).toBe(code);
  });

  it('that was killed for its silence could not tell', async () => {
    const host = scripted({ 'qemu-img convert -p -f raw -O raw /a /b': output({ code: null }) });
    await expect(convert(host, { from, to: '/b', as: 'raw' })).rejects.toThrow('was killed or timed out');
  });
});

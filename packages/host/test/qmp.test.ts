import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { dry } from '../src/dry.ts';
import { local } from '../src/local.ts';
import { qmp } from '../src/looks.ts';
import { recorded, replayed } from '../src/recorded.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-qmp-'));
const path = join(folder, 'sock');
afterAll(() => rmSync(folder, { recursive: true }));

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}';
const event = (status: string): string =>
  `{"timestamp": {"seconds": 1795201159, "microseconds": 74047}, "event": "JOB_STATUS_CHANGE", "data": {"status": "${status}", "id": "platter-data"}}`;
const jobs =
  '{"return": [{"current-progress": 67108864, "status": "concluded", "total-progress": 67108864, "type": "backup", "id": "platter-data"}]}';
const refused = `{"error": {"class": "GenericError", "desc": "Dirty bitmap 'nix' not found"}}`;
const okay = '{"return": {}}';

let server: Server | null = null;
const heard: string[] = [];
const open = new Set<Socket>();

/** Speaks as QEMU did: the greeting, then for each line it hears the next of its answers, which may be several lines. */
function speaking(hello: string | null, answers: readonly (string | null)[], size = 1 << 20): Promise<void> {
  heard.length = 0;
  server = createServer((socket) => {
    open.add(socket);
    const left = [...answers];
    const say = async (text: string) => {
      for (let at = 0; at < text.length; at += size)
        await new Promise((written) => socket.write(text.slice(at, at + size), written));
    };
    if (hello !== null) void say(`${hello}\r\n`);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().trim().split('\n')) {
        heard.push(line);
        const answer = left.shift() ?? null;
        if (answer === null) socket.end();
        else void say(`${answer}\r\n`);
      }
    });
  });
  return new Promise((ready) => server?.listen(path, ready));
}

afterEach(async () => {
  for (const socket of open) socket.destroy();
  open.clear();
  await new Promise((closed) => (server === null ? closed(0) : server.close(closed)));
  server = null;
});

const ask = (execute: string, words?: Record<string, unknown>) => local().query(qmp(path, execute, words));

describe('QMP', () => {
  it('negotiates, asks and gives the return, whatever events lie between', async () => {
    const noisy = [event('created'), event('running'), okay].join('\r\n');
    await speaking(greeting, [noisy, [event('waiting'), event('concluded'), jobs, event('null')].join('\r\n')]);
    expect(await ask('query-jobs')).toEqual([
      {
        'current-progress': 67_108_864,
        status: 'concluded',
        'total-progress': 67_108_864,
        type: 'backup',
        id: 'platter-data',
      },
    ]);
    expect(heard).toEqual(['{"execute":"qmp_capabilities"}', '{"execute":"query-jobs"}']);
  });

  it('however the socket splits it', async () => {
    await speaking(`${event('early')}\r\n${greeting}`, [okay, `${event('now')}\r\n${jobs}`], 7);
    expect(await ask('query-jobs', { all: true })).toHaveLength(1);
    expect(heard[1]).toBe('{"execute":"query-jobs","arguments":{"all":true}}');
  });

  it.each<[string, string | null, (string | null)[], object]>([
    [
      'an error of QEMU',
      greeting,
      [okay, `${event('x')}\r\n${refused}`],
      { kind: 'failed', details: { said: "Dirty bitmap 'nix' not found" } },
    ],
    ['an end before the answer', greeting, [okay, null], { kind: 'failed' }],
    ['an end before the capabilities', greeting, [null], { kind: 'failed' }],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2', [], { kind: 'unsupported' }],
    ['JSON that greets otherwise', '{"hello": 1}', [], { kind: 'unsupported' }],
    ['JSON that is no message', 'null', [], { kind: 'unsupported' }],
    ['an answer that is none', greeting, [okay, '{"id": 3}'], { kind: 'unsupported' }],
  ])('%s', async (_, hello, answers, failure) => {
    await speaking(hello, answers);
    await expect(ask('block-dirty-bitmap-remove')).rejects.toMatchObject(failure);
  });

  it('a server that never greets is busy, one that never answers could not tell', async () => {
    await speaking(null, []);
    const short = { ...qmp(path, 'query-jobs'), timeout: 50 };
    await expect(local().query(short)).rejects.toMatchObject({ kind: 'busy' });
    for (const socket of open) socket.destroy();
    await new Promise((closed) => server?.close(closed));
    await speaking(greeting, [okay, '']);
    await expect(local().query(short)).rejects.toMatchObject({ kind: 'failed' });
  });

  it('nobody at a socket, or a file that is none, is busy; a name of nothing is refused', async () => {
    const gone = join(folder, 'gone');
    await expect(local().query(qmp(gone, 'query-jobs'))).rejects.toMatchObject({ kind: 'refused' });
    writeFileSync(gone, '');
    await expect(local().query(qmp(gone, 'query-jobs'))).rejects.toMatchObject({ kind: 'busy' });
  });

  it('as a change is shown by a dry run and not made; a recording answers as QEMU did', async () => {
    await speaking(greeting, [okay, jobs]);
    const [lines, steps] = [[] as string[], [] as string[]];
    expect(await dry(local(), (line) => steps.push(line)).change(qmp(path, 'quit'))).toBeUndefined();
    expect([steps.length, heard]).toEqual([1, []]);
    const answer = await recorded(local(), (line) => lines.push(line)).change(qmp(path, 'query-jobs'));
    expect(await replayed(lines).change(qmp(path, 'query-jobs'))).toEqual(answer);
    await expect(replayed(lines).change(qmp(path, 'quit'))).rejects.toThrow('crossing 1');
  });
});

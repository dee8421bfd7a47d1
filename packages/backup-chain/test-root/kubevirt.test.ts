import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { done, tool } from '../test/tool.ts';
import { makeChain, pushed } from './foreign.ts';

const folder = mkdtempSync(join(tmpdir(), 'platter-kubevirt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const disks = ['data-disk', 'root'] as const;
const image = (disk: string, n: number): string => join(folder, `${disk}-${n}`);
const states = disks.map((disk, n) =>
  makeChain(
    [0, 1].map((moment) => image(disk, moment)),
    pushed(10 + 40 * n).slice(0, 2),
  ),
);
let number = 0;
const next = (): string => {
  number += 1;
  const path = join(folder, String(number));
  mkdirSync(path);
  return path;
};

async function repository(): Promise<string> {
  const root = next();
  await done(['init', '--repo', root]);
  return root;
}

interface Pushed {
  /** What `vmb.json` says of the type; without it there is none. */
  type?: string;
  status?: object;
  vmb?: string;
}

/** What a backup of KubeVirt pushed at a moment. */
function push(n: number, { type, status = {}, vmb = `vmb-${n}` }: Pushed = {}): string {
  const dir = next();
  for (const disk of disks) cpSync(image(disk, n), join(dir, `${vmb}-${disk}.qcow2`));
  const includedVolumes = disks.map((volumeName) => ({ volumeName, diskTarget: 'vda' }));
  const object = {
    metadata: { name: vmb, creationTimestamp: `2026-01-1${n}T02:00:00Z` },
    status: { type, checkpointName: `${vmb}-checkpoint`, includedVolumes, ...status },
  };
  if (type !== undefined) writeFileSync(join(dir, 'vmb.json'), JSON.stringify(object));
  return dir;
}

const bring = (root: string, dir: string, ...words: string[]) =>
  tool(['import', '--repo', root, '--kubevirt', dir, '--vm', 'shop/web', ...words]);
const say = async (dir: string, ...words: string[]) => (await bring(await repository(), dir, ...words)).code;

async function holds(root: string): Promise<void> {
  for (const [d, disk] of disks.entries()) {
    const ids = readdirSync(join(root, `vms/shop/web/disks/${disk}/points`)).sort();
    expect(ids).toHaveLength(2);
    for (const [n, name] of ids.entries()) {
      const to = join(next(), 'disk');
      const address = `shop/web/${disk}@${name.slice(7, -5)}`;
      await done(['restore', address, '--repo', root, '--file', '--to', to, '--verify', 'full']);
      expect(readFileSync(to).equals(states[d]?.[n] as Uint8Array)).toBe(true);
    }
  }
  await done(['validate', '--repo', root, '--level', 'deep']);
}

describe('what KubeVirt pushed', () => {
  it('is imported by what vmb.json says, an increment after its full; again it exists', async () => {
    const root = await repository();
    const [full, increment] = [push(0, { type: 'Full' }), push(1, { type: 'INCREMENTAL' })];
    const { records, text, failure } = await bring(root, full);
    expect(failure).toBeNull();
    const set = records[2] as { id: string };
    expect(records).toMatchObject([
      { outcome: 'created', disk: { name: 'data-disk' }, capture: { checkpoint: 'vmb-0-checkpoint' } },
      { outcome: 'created', disk: { name: 'root' }, capture: { unproven: ['completeness', 'content'] } },
      {
        kind: 'BackupSet',
        capturedAt: '2026-01-10T02:00:00.000Z',
        capturedAtFrom: 'kubevirt',
        attachments: [{ name: 'vmb.json' }],
      },
    ]);
    expect(text).toEqual([
      `shop/web@${set.id}  1 set, 2 disks, 2 points; completeness and content trusted on first use`,
    ]);
    expect((await bring(root, increment)).code).toBe(2);
    const after = await bring(root, increment, '--after', set.id);
    expect(after.records[0]).toMatchObject({
      outcome: 'created',
      parent: { id: set.id },
      capture: { engine: 'import-kubevirt' },
    });
    for (const words of [[full], [increment, '--after', set.id]] as const)
      expect((await bring(root, words[0], ...words.slice(1))).records.slice(0, 2)).toMatchObject([
        { outcome: 'exists' },
        { outcome: 'exists' },
      ]);
    await holds(root);
  });

  it('without vmb.json needs --disks, and --full or --after', async () => {
    const root = await repository();
    const [full, increment] = [push(0), push(1)];
    expect((await bring(root, full)).code).toBe(2);
    expect((await bring(root, full, '--full')).code).toBe(2);
    expect((await bring(root, full, '--disks', 'root,data-disk')).code).toBe(2);
    const { records } = await bring(root, full, '--disks', 'root,data-disk', '--full', '--at', '2026-01-10T02:00:00Z');
    expect(records.at(-1)).toMatchObject({
      capturedAtFrom: 'given',
      attachments: [],
      members: [{ disk: 'data-disk' }, { disk: 'root' }],
    });
    const { id } = records.at(-1) as { id: string };
    expect((await bring(root, increment, '--disks', 'root,data-disk', '--after', id)).failure).toBeNull();
    await holds(root);
  });

  it('takes only the disks that are asked for, whatever vmb.json names', async () => {
    const root = await repository();
    expect((await bring(root, push(0, { type: 'full' }), '--disks', 'root')).records.at(-1)).toMatchObject({
      members: [{ disk: 'root' }],
    });
    expect(await say(push(0, { type: 'full' }), '--disks', 'other')).toBe(3);
    expect(await say(push(0), '--disks', 'other', '--full')).toBe(5);
    expect(await say(push(0), '--disks', 'ROOT', '--full')).toBe(2);
  });

  it('what does not agree is refused', async () => {
    expect(await say(push(1, { type: 'Incremental' }), '--full')).toBe(3);
    expect(await say(push(0, { type: 'Full' }), '--after', 'x')).toBe(3);
    expect(await say(push(0, { type: 'Partial' }))).toBe(5);
    expect(await say(push(0, { type: 'Full', status: { includedVolumes: ['root', 'lost'] } }))).toBe(5);
    expect(await say(push(0, { type: 'Full', status: { includedVolumes: ['../root'] } }))).toBe(3);
    expect(await say(join(folder, 'nothing'), '--full')).toBe(3);
    const cut = push(0, { type: 'Full' });
    writeFileSync(join(cut, 'vmb.json'), '{');
    expect(await say(cut)).toBe(5);
    const linked = push(0, { type: 'Full' });
    rmSync(join(linked, 'vmb-0-root.qcow2'));
    symlinkSync(image('root', 0), join(linked, 'vmb-0-root.qcow2'));
    expect(await say(linked)).toBe(3);
    const several = push(0);
    cpSync(image('root', 1), join(several, 'vmb-1-root.qcow2'));
    expect(await say(several, '--disks', 'root', '--full')).toBe(3);
    expect(await say(several, '--disks', 'root,data-disk', '--full')).toBe(0);
  });
});

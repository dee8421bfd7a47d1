import { Failure } from '@platter/host/failure';
import { describe, expect, it } from 'vitest';
import type { Disk } from './disk.ts';
import { changesOf, go, head, poolOf, prepared, work } from './pool-of.ts';
import { say } from './said.ts';

const made = 'create v --size 512';
const written = [made, 'start v', 'write x'];
const restart = (disk: Disk) => {
  disk.boot = 'boot-2';
};

describe('a stop', () => {
  it('of a copy that was resumed after a restart commits it, whatever its times say: they may have been lost', async () => {
    const disk = await poolOf(made, 'start v');
    Object.assign(disk.names.get(work) ?? {}, { content: 'flushed before the power cut' });
    restart(disk);
    expect((await go(disk, 'start v'))?.records).toMatchObject([{ outcome: 'resumed', unclean: true }]);
    expect((await go(disk, 'start v'))?.records).toMatchObject([{ outcome: 'already', unclean: true }]);
    expect((await go(disk, 'stop v'))?.records).toMatchObject([{ outcome: 'committed', unclean: true, savedAs: 1 }]);
    expect(disk.content(head)).toBe('flushed before the power cut');
  });

  it('of a volume whose head is gone removes nothing: any revision may be what repairs it', async () => {
    const disk = await poolOf('create v --size 512 --policy count=2', 'start v', 'write x', 'stop v');
    const sidecar = '/pool/.platter/volumes/v.json';
    disk.scribble(sidecar, (disk.content(sidecar) ?? '').replace('count=2', 'min=none'));
    disk.names.delete(head);
    const said = await changesOf(disk, 'stop v');
    expect([said.records, said.changes]).toMatchObject([[{ outcome: 'already', pruned: [] }], []]);
  });

  it('prunes one of two files of one number by its own facts, never both', async () => {
    const disk = await poolOf('create v --size 512 --policy count=1', ...['start v', 'write x', 'stop v']);
    const [first = ''] = [...disk.names.keys()].filter((path) => path.startsWith(`${head}.1@`));
    const twice = `${head}.1@2026-11-20T09:00:00Z`;
    await disk.change({ op: 'copy', from: first, to: twice, reflink: true });
    expect((await say(disk, 'list --revisions')).names).toEqual(['v@1', 'v@1']);
    expect((await say(disk, 'revert v@1')).failure?.message).toContain('two files carry that number');
    await go(disk, 'stop v');
    expect([disk.names.has(first), disk.names.has(twice)].filter(Boolean)).toHaveLength(1);
  });

  it.each(['snapshot --source v', 'volatile --size 512'])(
    'of %s with a label is refused: it keeps nothing',
    async (kind) => {
      const disk = await poolOf(made, `create s --kind ${kind}`, 'start s');
      const said = await changesOf(disk, 'stop s --discard --label keep');
      expect([said.code, said.changes, said.failure?.message]).toEqual([
        3,
        [],
        expect.stringContaining('no revisions'),
      ]);
      expect((await changesOf(disk, 'stop s')).records).toMatchObject([{ outcome: 'removed' }]);
    },
  );

  it('that finds nothing written keeps its copy only where no stray file has the name', async () => {
    const disk = await poolOf(made, 'start v');
    disk.names.set(prepared, disk.names.get('/pool') as never);
    expect((await changesOf(disk, 'stop v')).changes).toEqual([`rm -f -- ${work}`, 'sync -- /pool']);
  });

  it('of a volume without head makes the working copy the head', async () => {
    const disk = await poolOf(...written);
    disk.names.delete(head);
    expect((await say(disk, 'show v')).records).toMatchObject([{ state: 'running', path: null, workPath: work }]);
    restart(disk);
    expect((await say(disk, 'show v')).records).toMatchObject([{ state: 'headless' }]);
    expect((await go(disk, 'stop v'))?.records).toMatchObject([{ outcome: 'committed', savedAs: null, unclean: true }]);
    expect(disk.content(head)).toBe('x');
  });

  it('removes what the policy lets go, and says so', async () => {
    const disk = await poolOf(...written, 'stop v', 'start v', 'write y');
    expect((await go(disk, 'stop v'))?.records).toMatchObject([{ savedAs: 2, pruned: [1] }]);
    expect((await go(disk, 'stop v'))?.records).toMatchObject([{ outcome: 'already', pruned: [] }]);
  });

  describe('of an image in many pieces', () => {
    async function fragmented(): Promise<Disk> {
      const disk = await poolOf(...written);
      const settings = '/pool/.platter/pool.json';
      disk.scribble(settings, (disk.content(settings) ?? '').replace('"never"', '"auto"'));
      disk.facts.set('xfs_io', 'fsxattr.xflags = 0x0 [-]\nfsxattr.nextents = 5000\n');
      return disk;
    }

    it('says that the copy for the next start follows, and makes it', async () => {
      const disk = await fragmented();
      expect((await say(disk, 'stop v')).records).toMatchObject([{ outcome: 'committed', prepared: true }]);
      expect(disk.names.has(prepared)).toBe(true);
      expect((await go(disk, 'start v'))?.records).toMatchObject([{ method: 'prepared' }]);
    });

    it('makes none where nobody wants it, or where it would be no gain', async () => {
      const disk = await fragmented();
      expect((await say(disk, 'stop v --no-prepare')).records).toMatchObject([{ prepared: false }]);
      disk.facts.set('xfs_io', 'fsxattr.xflags = 0x0 [-]\nfsxattr.nextents = 999\n');
      await go(disk, 'start v', 'write y');
      expect((await say(disk, 'stop v')).records).toMatchObject([{ prepared: false }]);
      expect(disk.names.has(prepared)).toBe(false);
    });

    it('is done though that copy fails, which is warned about', async () => {
      const disk = await fragmented();
      const door = disk.change.bind(disk);
      disk.change = async (change) => {
        if (change.op !== 'copy') return door(change);
        throw new Failure('failed', 'cp failed with exit 1');
      };
      const said = await say(disk, 'stop v');
      expect([said.code, said.notes]).toEqual([
        0,
        ['the next start of v could not be prepared: cp failed with exit 1'],
      ]);
      expect(disk.content(head)).toBe('x');
    });
  });
});

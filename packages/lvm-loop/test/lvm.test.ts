import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '@platter/host/scripted';
import { shown } from '@platter/host/shown';
import { describe, expect, it } from 'vitest';
import { everyVg, type LvmFacts, lvm, parseVersion, report } from '../src/lvm.ts';
import { lvOf, pvOf, rowsOf, vgOf } from '../src/reports.ts';
import { groupFault, momentsFault } from '../src/vg.ts';

const answer = (name: string) => readFileSync(join(import.meta.dirname, 'answers', name), 'utf8');
const scope = { devices: ['/dev/loop7', '/dev/loop12'], directory: '/pool/.lvm-loop' };
const facts = (version: LvmFacts['version'], more: Partial<LvmFacts> = {}): LvmFacts => ({
  version,
  dm: true,
  udev: true,
  ...more,
});

describe('the words of LVM', () => {
  it.for<[string, LvmFacts]>([
    ['2.02.168', facts([2, 2, 168])],
    ['2.03.11', facts([2, 3, 11])],
    ['2.03.16', facts([2, 3, 16])],
    ['2.03.16 without device-mapper and udev', facts([2, 3, 16], { dm: false, udev: false })],
  ])('of %s', ([, host]) => {
    expect(shown(lvm(host, scope, ['vgchange', '-ay', '-S', 'vg_uuid=U']))).toMatchSnapshot();
  });

  it('of a report', () => {
    const program = report(facts([2, 3, 16]), scope, ['pvs', '-a']);
    expect(shown(program)).toMatchSnapshot();
    expect(program.report).toBe(true);
  });

  it('of the only call without a scope', () => {
    expect(shown(everyVg(facts([2, 3, 16])))).toMatchSnapshot();
  });

  it.for([[[]], [['/dev/sda']], [['/dev/loop7', '/dev/mapper/x']], [['/dev/loop7,/dev/sda']]] as const)(
    'are not made for the scope %j',
    ([devices]) => {
      expect(() => lvm(facts([2, 3, 16]), { ...scope, devices }, ['vgs'])).toThrow(/not a scope/);
    },
  );
});

describe('what programs say', () => {
  it.for([
    ['lvm-version.txt', [2, 3, 16]],
    ['losetup-version.txt', [2, 38, 1]],
  ] as const)('of their version: %s', ([name, version]) => {
    expect(parseVersion(output({ stdout: answer(name) }))).toEqual(version);
  });

  const program = report(facts([2, 3, 16]), scope, ['pvs']);
  const rows = (kind: string, name: string) => rowsOf(kind, program, output({ report: answer(name) }));

  it('of PVs: in a VG, missing, unlabelled', () => {
    expect(rows('pv', 'pvs-healthy.json').map(pvOf)).toMatchObject([
      {
        name: '/dev/loop4',
        vgName: 'lvl-answers',
        devSize: 2 ** 26,
        peStart: 2 ** 20,
        extents: 15,
        allocated: 2,
        missing: false,
      },
      { name: '/dev/loop5', allocated: 0, mdas: 1, usedMdas: 1 },
    ]);
    expect(
      rows('pv', 'pvs-missing.json')
        .map(pvOf)
        .map(({ missing }) => missing),
    ).toEqual([false, true]);
    expect(rows('pv', 'pvs-unlabelled.json').map(pvOf)).toMatchObject([{ uuid: '', vgName: '', size: 0 }]);
  });

  it('of VGs: healthy, incomplete, none, two', () => {
    const [healthy] = rows('vg', 'vgs-healthy.json').map(vgOf);
    expect(healthy).toMatchObject({
      name: 'lvl-answers',
      extentSize: 2 ** 22,
      extents: 30,
      free: 28,
      lvs: 1,
      claimed: [],
    });
    expect(healthy?.tags).toContain('platter.dev/lvm-loop');
    expect(rows('vg', 'vgs-missing.json').map(vgOf)).toMatchObject([{ missing: 1 }]);
    expect(rows('vg', 'vgs-empty.json')).toEqual([]);
    expect(
      rows('vg', 'vgs-two.json')
        .map(vgOf)
        .map(({ name }) => name),
    ).toEqual(['lvl-one', 'lvl-two']);
  });

  it('of LVs: without device-mapper nobody knows what is active', () => {
    expect(rows('lv', 'lvs-healthy.json').map(lvOf)).toMatchObject([
      { name: 'data', active: false, told: false, hidden: false },
    ]);
  });

  it.for([
    ['truncated', output({ report: answer('vgs-healthy.json').slice(0, 80) })],
    ['empty', output({})],
    ['killed', output({ code: null, report: answer('vgs-healthy.json') })],
    ['of a command that failed', output({ code: 5, report: answer('vgs-healthy.json'), stderr: 'no' })],
  ] as const)('a report that is %s is "could not tell"', ([, said]) => {
    expect(() => rowsOf('vg', program, said)).toThrow(/could not tell/);
  });

  it('on stdout beside the report is not read', () => {
    const said = output({ report: answer('vgs-healthy.json'), stdout: 'Consider pruning lvmx VG archive' });
    expect(rowsOf('vg', program, said)).toHaveLength(1);
  });
});

describe('a VG', () => {
  const base = { vg_name: 'g', vg_uuid: 'U', pv_count: '1' };
  it.for(['vg_shared', 'vg_exported', 'vg_clustered', 'vg_systemid'])(
    "that is not this host's alone is refused: %s",
    (column) => {
      const vg = vgOf({ ...base, [column]: 'x' });
      const image = { sidecar: { pvUuid: 'P', vgUuid: 'U' } } as never;
      expect(groupFault([image], { vgs: [vg], pvs: [], lvs: [] })).toMatchObject({ kind: 'unsupported' });
      expect(groupFault([image], { vgs: [vgOf(base)], pvs: [], lvs: [] })).toBeNull();
    },
  );

  it.for<[(number | null)[], 'fault' | 'notice' | undefined]>([
    [[], undefined],
    [[4, 4], undefined],
    [[4, null], undefined],
    [[4, 5], 'notice'],
    [[4, 6], 'fault'],
    [[9, null, 1], 'fault'],
  ])('whose images tell the moments %j', ([moments, verdict]) => {
    expect(Object.keys(momentsFault('g', moments))).toEqual(verdict === undefined ? [] : [verdict]);
  });
});

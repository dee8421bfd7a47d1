import { Invalid } from '@platter/units/invalid';
import { describe, expect, it } from 'vitest';
import { lockOf, targetOf, workspaceOf } from '../src/target.ts';

describe('a target', () => {
  it('is absolute with .. resolved, and says what was said', () => {
    const target = targetOf('/disks/a', '../b/./x.qcow2');
    expect(target).toEqual({ said: '../b/./x.qcow2', path: '/disks/b/x.qcow2', dir: '/disks/b', name: 'x.qcow2' });
    expect(lockOf(target)).toBe('/disks/b/.x.qcow2.platter-lock');
    expect(workspaceOf(target, '0123456789abcdef')).toBe('/disks/b/.x.qcow2.platter-0123456789abcdef');
  });

  it.each(['a,b', 'a"b', "a'b", 'a:b', '-x', 'a b', 'ü', 'a'.repeat(200)])('may be called %j', (name) => {
    expect(targetOf('/d', name).name).toBe(name);
  });

  it.each(['a'.repeat(201), 'ü'.repeat(101), 'a\nb', 'a\x7fb', 'a\ufffdb'])('may not be called %j', (name) => {
    expect(() => targetOf('/d', name)).toThrow(Invalid);
  });
});

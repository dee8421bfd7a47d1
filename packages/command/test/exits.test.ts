import { exitCodes } from '@platter/host/failure';
import { expect, it } from 'vitest';
import { exits } from '../src/exits.ts';

it('every failure has its number in the table, and only failures and 0 do', () => {
  const told = exits.map(({ kind }, code) => [kind, code]).slice(1);
  expect(Object.fromEntries(told)).toEqual(exitCodes);
});

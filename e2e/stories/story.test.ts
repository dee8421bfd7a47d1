import { expect, it } from 'vitest';
import { play } from './play.ts';

it('one disk goes through all six tools, each command ends and says as told', async () => {
  const told: string[] = [];
  const stage = await play((text) => void told.push(text));
  expect(stage.table()).toMatch(/A lifetime ends/);
  expect(told.join('')).toContain('every file is equal');
}, 180_000);

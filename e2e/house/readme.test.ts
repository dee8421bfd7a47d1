import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../ground/folder.ts';
import { has } from '../ground/probe.ts';
import { root, run } from '../ground/run.ts';
import { exchanges, replayed, script, transcript } from './session.ts';

const pages = globSync(['README.md', 'packages/*/README.md'], { cwd: root });

it.for(pages)('%s shows what its commands print', async (page) => {
  const session = exchanges(readFileSync(join(root, page), 'utf8'), has('root'));
  await using home = await tempFolder();
  const alone = join(root, 'e2e/alone');
  const env = { HOME: home.path, TMPDIR: home.path };
  const { stdout } = await run([alone, 'sh', '-c', script(session)], { cwd: home.path, env, timeout: 110_000 });
  expect(transcript(replayed(session, stdout))).toBe(transcript(session));
});

it('reads the front page', () => expect(pages).toContain('README.md'));

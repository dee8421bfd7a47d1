import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { needs } from '../ground/needs.ts';
import type { CrashCase } from './case.ts';
import { matrix, type Row } from './driver.ts';
import { line, resultFile, rows } from './page.ts';

// No limit of time but the one of each command: how long a case takes is its number of changes times how busy the machine is.
vi.setConfig({ maxConcurrency: 2, testTimeout: 3_600_000 });

const page = join(import.meta.dirname, '../../docs/crash-matrix.md');
const folder = join(import.meta.dirname, 'cases');
const files = globSync('*.ts', { cwd: folder }).sort();
const modules = await Promise.all(files.map((file) => import(join(folder, file)) as Promise<{ cases: CrashCase[] }>));
const cases = modules.flatMap((module) => module.cases);

const passed: Row[] = [];

/** Rows of the last run stay for the cases that this run leaves out. */
const found = new Map<string, Row>(rows().map((row) => [row.name, row]));

/** After each case, so that a run that is broken off has told what it found. */
function keep(): void {
  const known = cases.flatMap(({ name }) => found.get(name) ?? []);
  writeFileSync(resultFile, `${JSON.stringify(known, null, 2)}\n`);
}

describe.concurrent('crash matrix', () => {
  for (const subject of cases) {
    needs(...subject.needs)(subject.name, () => {
      it('keeps what it promises', async () => {
        found.delete(subject.name);
        try {
          const row = await matrix(subject);
          passed.push(row);
          found.set(subject.name, row);
        } finally {
          keep();
        }
      });
    });
  }
});

it('is told by docs/crash-matrix.md (node scripts/docs.ts writes it from this run)', () => {
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
  expect(passed.map(line).filter((row) => !text.includes(row))).toEqual([]);
});

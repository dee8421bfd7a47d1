import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

/** Closes a test run with what was skipped and why it was, and one line: `N passed, N failed, N skipped`; PLATTER_COUNTS gets it too. */
export default class Count implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const of = (state: string) => tests.filter((test) => test.result().state === state);
    const broken = modules.filter((module) => module.state() === 'failed' && module.errors().length > 0);
    for (const test of of('skipped')) {
      const result = test.result() as { note?: string };
      console.log(`skipped: ${test.fullName}${result.note ? ` (${result.note})` : ''}`);
    }
    const failed = of('failed').length + broken.length;
    const [passed, skipped] = [of('passed').length, of('skipped').length];
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    const folder = process.env.PLATTER_COUNTS;
    if (folder) writeFileSync(join(folder, `${process.pid}.count`), `${passed} ${failed} ${skipped}\n`);
  }
}

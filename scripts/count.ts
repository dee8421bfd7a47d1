import type { Reporter, TestModule } from 'vitest/node';

/** Closes a test run with what was skipped and why it was, and the one line CI reads: `N passed, N failed, N skipped`. */
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
    console.log(`${of('passed').length} passed, ${failed} failed, ${of('skipped').length} skipped`);
  }
}

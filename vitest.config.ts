import { defineConfig } from 'vitest/config';

/** Real devices and whole machines: one file at a time, each in its own process. */
const serial = (name: string, include: string, order: number) => ({
  test: {
    name,
    include: [include],
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { groupOrder: order },
  },
});

export default defineConfig({
  test: {
    projects: [
      {
        test: { name: 'unit', include: ['packages/*/test/**/*.test.ts', 'e2e/test/**/*.test.ts'], testTimeout: 60_000 },
      },
      serial('root', 'packages/*/test-root/**/*.test.ts', 1),
      serial('house', 'e2e/house/**/*.test.ts', 2),
      serial('host', 'e2e/host/**/*.test.ts', 2),
      serial('stories', 'e2e/stories/**/*.test.ts', 3),
      serial('crash', 'e2e/crash/**/*.test.ts', 4),
      serial('vm', 'e2e/vm/**/*.test.ts', 5),
    ],
  },
});

import { defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';
import { patienceMs } from './test/support/patience.ts';
import { soakSeconds } from './test/support/soak-seconds.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/lifecycle.ts'],
    reporters: ['default', new CountReporter()],
    pool: 'forks',
    // The tests start programs of their own, so more workers than this only wait for each other.
    maxWorkers: 2,
    testTimeout: 2 * patienceMs + soakSeconds * 3_000,
    hookTimeout: 2 * patienceMs,
    expect: { poll: { timeout: patienceMs } },
  },
});

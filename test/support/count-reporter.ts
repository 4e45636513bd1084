import type { Reporter, TestModule } from 'vitest/node';

type State = 'passed' | 'failed' | 'skipped' | 'pending';

/** Says the counts of tests on one plain line at the very end, for machines that read the log. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts: Record<State, number> = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      // A file that cannot be loaded, or a hook of the file that fails, runs no test.
      counts.failed += module.errors().length;
    }
    const failed = counts.failed + errors.length;
    process.stdout.write(
      `${counts.passed} passed, ${failed} failed, ${counts.skipped + counts.pending} skipped\n`,
    );
  }
}

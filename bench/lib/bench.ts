import { runCleanups } from '../../test/support/cleanup.ts';

/** Runs a bench and cleans up behind it, also when it is interrupted; says an error in one line. */
export async function runBench(bench: () => Promise<void>): Promise<void> {
  const interrupt = () => void runCleanups().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    await bench();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    await runCleanups();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

type Cleanup = () => void | Promise<void>;

let scopes: Cleanup[][] = [[]];

/**
 * Has `cleanup` run when the test ends, or, registered outside a test (in `beforeAll`), when the file ends; the last
 * registered runs first. The test runner is told by test/support/lifecycle.ts; a program calls `runCleanups` itself.
 */
export function onCleanup(cleanup: Cleanup): void {
  scopes.at(-1)?.push(cleanup);
}

/** What is registered from here on ends with the matching `endScope`. */
export function beginScope(): void {
  scopes.push([]);
}

/** @throws the first error of a cleanup, after all of them ran */
export async function endScope(): Promise<void> {
  await runAll(scopes.length > 1 ? (scopes.pop() ?? []) : []);
}

/** Runs everything that is registered. */
export async function runCleanups(): Promise<void> {
  const all = scopes.flat();
  scopes = [[]];
  await runAll(all);
}

async function runAll(cleanups: readonly Cleanup[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

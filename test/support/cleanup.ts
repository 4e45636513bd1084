import { AsyncLocalStorage } from 'node:async_hooks';

type Cleanup = () => void | Promise<void>;

let scopes: Cleanup[][] = [[]];
const ownScope = new AsyncLocalStorage<Cleanup[]>();

/**
 * Has `cleanup` run when the test ends, or, registered outside a test (in `beforeAll`), when the file ends; the last
 * registered runs first. The test runner is told by test/support/lifecycle.ts; a program calls `runCleanups` itself.
 */
export function onCleanup(cleanup: Cleanup): void {
  (ownScope.getStore() ?? scopes.at(-1))?.push(cleanup);
}

/**
 * Runs `work` and then what it registered with `onCleanup`. For tests that run at the same time: the scopes of the test
 * runner know only one test at a time, and the first to end would end what the others still use.
 */
export async function withOwnCleanups<T>(work: () => T | Promise<T>): Promise<T> {
  const cleanups: Cleanup[] = [];
  return await ownScope.run(cleanups, async () => {
    try {
      return await work();
    } finally {
      await runAll(cleanups);
    }
  });
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

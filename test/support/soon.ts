import { vi } from 'vitest';

/**
 * Repeats `check` until it throws no more, for at most 20 s. For tests that run at the same time, where `expect.poll`
 * does not know its test.
 */
export async function soon(check: () => Promise<void>): Promise<void> {
  await vi.waitFor(check, { timeout: 20_000, interval: 50 });
}

import { vi } from 'vitest';
import { patienceMs } from './patience.ts';

/**
 * Repeats `check` until it throws no more, for at most 60 s. For tests that run at the same time, where `expect.poll`
 * does not know its test.
 */
export async function soon(check: () => Promise<void>): Promise<void> {
  await vi.waitFor(check, { timeout: patienceMs, interval: 50 });
}

import { startDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';

/**
 * Runs a pull that ends with `timed_out` after `ms` milliseconds, the way an interrupted one does: locks are released
 * and what was downloaded is kept before it is over. Without `ms` there is no limit.
 */
export async function withTimeLimit<T>(
  clock: Clock,
  ms: number | undefined,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (ms === undefined) return await work(parent);
  const { signal, end } = startDeadline(clock, ms, parent, () => tookTooLong(ms));
  try {
    return await work(signal);
  } finally {
    end();
  }
}

function tookTooLong(ms: number): LayerpullError {
  return new LayerpullError('timed_out', `the pull took longer than ${ms / 1_000} s`, {
    hint: 'what came is kept: pull again to go on, or give it longer with --timeout',
  });
}

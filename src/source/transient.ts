import { type ErrorCode, isLayerpullError } from '../core/errors.ts';

/** Failures of the way to the content. Wrong content is none: another try would read the same. */
const transientCodes: ReadonlySet<ErrorCode> = new Set([
  'registry_unreachable',
  'registry_failed',
  'rate_limited',
]);

/** Whether the same read may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  return isLayerpullError(error) && error.retryable && transientCodes.has(error.code);
}

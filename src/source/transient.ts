import { failureOf } from './retry-table.ts';

/** Whether the same read may succeed in a moment: a failure of the way to the content, never wrong content. */
export function isTransient(error: unknown): boolean {
  return failureOf(error) !== undefined;
}

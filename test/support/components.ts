import { describe, test } from 'vitest';
import { type ComponentName, whyMissing } from './component-list.ts';

export { type Component, type ComponentName, component, requireComponent } from './component-list.ts';

/**
 * `describe` for tests that need real components. Where one is missing the tests are skipped by its name; in continuous
 * integration that is a failure.
 */
export function describeWith(names: readonly ComponentName[], title: string, body: () => void): void {
  const missing = names.map(whyMissing).filter((reason) => reason !== undefined);
  if (missing.length === 0) describe(title, body);
  else describe(title, () => reportMissing(missing.join('; ')));
}

/** One test in place of those that a missing program makes impossible. */
export function reportMissing(reason: string): void {
  const isCi = !['', '0', 'false', undefined].includes(process.env['CI']);
  const fail = () => {
    throw new Error(reason);
  };
  if (isCi) test('has its components', fail);
  else test.skip(reason);
}

import fs from 'node:fs';
import { describe, test } from 'vitest';
import { inRoot } from './root.ts';

/** The real programs of scripts/lib/component-table.js. */
export type ComponentName = 'docker-registry' | 'skopeo' | 'umoci' | 'busybox';

export interface Component {
  readonly path: string;
  /** What must be in its environment beside ours. */
  readonly env: Readonly<Record<string, string>>;
}

type Entry = Component | { readonly missing: string };

/** The component, or undefined where it is not to be had. */
export function component(name: ComponentName): Component | undefined {
  const entry = entryOf(name);
  return 'path' in entry ? entry : undefined;
}

/** @throws an error that says why it is missing */
export function requireComponent(name: ComponentName): Component {
  const entry = entryOf(name);
  if ('path' in entry) return entry;
  throw new Error(`${name} is missing: ${entry.missing}`);
}

/**
 * `describe` for tests that need real components. Where one is missing the tests are skipped by its name; in continuous
 * integration that is a failure.
 */
export function describeWith(names: readonly ComponentName[], title: string, body: () => void): void {
  const missing = names.flatMap((name) => {
    const entry = entryOf(name);
    return 'missing' in entry ? [`${name} is missing: ${entry.missing}`] : [];
  });
  if (missing.length === 0) describe(title, body);
  else describe(title, () => reportMissing(missing.join('; ')));
}

/** Whether the tests that take minutes run too (`npm run test:long`). */
export const longTests = process.env['LONG_TESTS'] === '1';

function reportMissing(reason: string): void {
  const isCi = !['', '0', 'false', undefined].includes(process.env['CI']);
  if (!isCi) return test.skip(reason);
  test('has its components', () => {
    throw new Error(reason);
  });
}

function entryOf(name: ComponentName): Entry {
  return listing()[name] ?? { missing: 'run node scripts/components.js' };
}

function listing(): Partial<Record<ComponentName, Entry>> {
  const file = inRoot('.cache', 'components.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
}

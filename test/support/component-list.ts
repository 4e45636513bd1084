import fs from 'node:fs';
import { inRoot } from './root.ts';

/** The real programs of scripts/lib/component-table.js. */
export type ComponentName =
  | 'docker-registry'
  | 'skopeo'
  | 'podman'
  | 'umoci'
  | 'busybox'
  | 'etcd'
  | 'containerd';

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

/** Why a component is missing; undefined where it is there. */
export function whyMissing(name: ComponentName): string | undefined {
  const entry = entryOf(name);
  return 'path' in entry ? undefined : `${name} is missing: ${entry.missing}`;
}

function entryOf(name: ComponentName): Entry {
  return listing()[name] ?? { missing: 'run node scripts/components.js' };
}

function listing(): Partial<Record<ComponentName, Entry>> {
  const file = inRoot('.cache', 'components.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
}

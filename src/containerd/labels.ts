import { Refusal } from './refusal.ts';

export type Labels = Readonly<Record<string, string>>;

/** containerd's own limit on a key and its value together. */
const maxLabelBytes = 4_096;
/** Far above what containerd writes. */
const maxLabels = 1_000;

export interface LabelChange {
  readonly labels: Labels;
  /** Field mask: `labels`, or `labels.KEY`. Empty: all labels are replaced. */
  readonly paths: readonly string[];
}

/** A key of the mask that has no value, or an empty one, is removed. @throws Refusal `invalidArgument` */
export function changedLabels(old: Labels, { labels, paths }: LabelChange): Labels {
  const keys = paths.map(keyOf);
  if (keys.length === 0 || keys.includes(undefined)) {
    refuseLongLabels(labels);
    return labels;
  }
  const changed = new Map(Object.entries(old));
  const given = new Map(Object.entries(labels));
  for (const key of keys) {
    const value = key === undefined ? undefined : given.get(key);
    if (key === undefined) continue;
    if (value) changed.set(key, value);
    else changed.delete(key);
  }
  const result = Object.fromEntries(changed);
  refuseLongLabels(result);
  return result;
}

/** @throws Refusal `invalidArgument` */
export function refuseLongLabels(labels: Labels): void {
  const all = Object.entries(labels);
  if (all.length > maxLabels) throw new Refusal('invalidArgument', `${all.length} labels are too many`);
  const long = all.find(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value) > maxLabelBytes);
  if (long) {
    throw new Refusal(
      'invalidArgument',
      `the label ${JSON.stringify(long[0].slice(0, 64))} and its value have more than ${maxLabelBytes} bytes`,
    );
  }
}

/** Undefined for the path of all labels. */
function keyOf(path: string): string | undefined {
  if (path === 'labels') return undefined;
  if (path.startsWith('labels.')) return path.slice('labels.'.length);
  throw new Refusal(
    'invalidArgument',
    `cannot update the field ${JSON.stringify(path.slice(0, 64))} of content`,
  );
}

import { Queue } from '../../../src/lock/machine/queue.ts';

/** A snapshot keeps records that are shared, and takes it that each container belongs to one field alone. */
export function checkContainers(root: object): void {
  const seen = new Set<unknown>([root]);
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (isContainer(value) && seen.has(value)) throw new Error('a container belongs to two');
    seen.add(value);
  };
  for (const value of seen) for (const part of partsOf(value)) look(part);
}

function isContainer(value: unknown): value is Iterable<unknown> {
  return value instanceof Map || value instanceof Set || value instanceof Queue || Array.isArray(value);
}

function partsOf(value: unknown): unknown[] {
  if (value instanceof Map) return [...value].flat();
  return isContainer(value) ? [...value] : Object.values(value as object);
}

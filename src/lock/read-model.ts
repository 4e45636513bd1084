import type { Digest } from '../core/digest.ts';
import type { ListQuery, OperationType, ResourceEvent, ResourceView } from './locks.ts';
import { findLock, type Lock, type MachineState } from './machine/state.ts';
import { viewLock } from './machine/status.ts';

const defaultLimit = 1_000;

/** Resources whose digest begins with the prefix; without one, those that are held or waited for. */
export function listResources(state: MachineState, query: ListQuery, nowMs: number): ResourceView[] {
  const { prefix, limit = defaultLimit } = query;
  const found: ResourceView[] = [];
  for (const lock of prefix === undefined ? state.active : state.locks.values()) {
    if (found.length >= limit) break;
    if (matches(lock, prefix) && isKnown(lock)) found.push(viewLock(lock, nowMs));
  }
  return found;
}

/** With its algorithm or without, as people copy digests. */
function matches({ resourceId }: Lock, prefix: string | undefined): boolean {
  if (prefix === undefined) return true;
  return resourceId.startsWith(prefix) || resourceId.slice(resourceId.indexOf(':') + 1).startsWith(prefix);
}

/** A lock that was only asked about has nothing to show. */
function isKnown({ holder, queue, endings }: Lock): boolean {
  return holder !== undefined || queue.size > 0 || endings.size > 0;
}

/** How a resource stands in the domain of clients without sessions; undefined while nothing happened to it. */
export function currentResourceEvent(
  state: MachineState,
  type: OperationType,
  resourceId: Digest,
): { readonly event: ResourceEvent; readonly endedAtMs?: number } | undefined {
  const lock = findLock(state, 'default', resourceId);
  if (lock?.holder) {
    const event = { type, resourceId, nodeId: lock.holder.nodeId, success: false, error: '' };
    return { event };
  }
  const ending = lock?.endings.get(type);
  if (!ending) return undefined;
  const { by, success, error, atMs } = ending;
  return { event: { type, resourceId, nodeId: by.nodeId, success, error }, endedAtMs: atMs };
}

import type { SessionId } from '../../core/ids.ts';
import type { Lock, Waiter } from './state.ts';

/**
 * What became different of that which outlives a restart: whatever is named here is to be written as it stands at
 * the end, or erased where it is gone.
 */
export interface Changes {
  readonly sessions: Set<SessionId>;
  /** Holder and memory of a lock, without its queue. */
  readonly locks: Set<Lock>;
  readonly waiters: Set<Waiter>;
  /** Keys of farewells, by lock. */
  readonly farewells: Map<Lock, Set<string>>;
}

export function createChanges(): Changes {
  return { sessions: new Set(), locks: new Set(), waiters: new Set(), farewells: new Map() };
}

export function isEmpty({ sessions, locks, waiters, farewells }: Changes): boolean {
  return sessions.size + locks.size + waiters.size + farewells.size === 0;
}

export function noteFarewell({ farewells }: Changes, lock: Lock, key: string): void {
  const keys = farewells.get(lock);
  if (keys) keys.add(key);
  else farewells.set(lock, new Set([key]));
}

/** Adds the newer changes to those that were not written yet. */
export function mergeChanges(into: Changes, newer: Changes): void {
  for (const session of newer.sessions) into.sessions.add(session);
  for (const lock of newer.locks) into.locks.add(lock);
  for (const waiter of newer.waiters) into.waiters.add(waiter);
  for (const [lock, keys] of newer.farewells) for (const key of keys) noteFarewell(into, lock, key);
}

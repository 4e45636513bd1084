import type { ClusterState } from '../../../src/lock/backends/etcd/replica/cluster.ts';
import { checkSame } from './same.ts';

/** Seats hear only sessions that are there, and have open all that is open, so that it ends with them. */
export function checkSeats({ machine, seats }: ClusterState): void {
  const all = [...seats.values()];
  for (const { homes } of all)
    for (const id of homes) if (!machine.sessions.has(id)) throw new Error('a session is heard that is gone');
  const streams = [...machine.sessions.values()].map(({ id, streams: open }) => [id, open] as const);
  checkSame('streams are counted otherwise', counted(all.map((seat) => seat.streams)), open(streams));
  const listeners = [...machine.locks.values()].map((lock) => [lock.resourceId, lock.listeners] as const);
  checkSame('listeners are counted otherwise', counted(all.map((seat) => seat.listeners)), open(listeners));
}

function counted(maps: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const map of maps) for (const [key, open] of map) sums[key] = (sums[key] ?? 0) + open;
  return sums;
}

function open(counts: readonly (readonly [string, number])[]): Record<string, number> {
  return Object.fromEntries(counts.filter(([, open]) => open > 0));
}

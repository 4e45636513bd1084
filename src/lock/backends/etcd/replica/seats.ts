import type { SessionId } from '../../../../core/ids.ts';
import type { ClusterCommand, ClusterState, Seat, SeatId } from './cluster.ts';

/** The seat of that id; one that is not known yet comes last. */
export function seatFor({ seats }: ClusterState, id: SeatId): Seat {
  const known = seats.get(id);
  if (known) return known;
  const seat: Seat = { id, lastSeq: 0, homes: new Set(), streams: new Map(), listeners: new Map() };
  seats.set(id, seat);
  return seat;
}

export function isHeard({ seats }: ClusterState, sessionId: SessionId): boolean {
  for (const { homes } of seats.values()) if (homes.has(sessionId)) return true;
  return false;
}

/** Heartbeats that a live server hears are not written: it says so when it hears them no more. */
export function hearHomes({ machine, seats, atMs }: ClusterState): void {
  for (const { homes } of seats.values()) {
    for (const id of homes) {
      const session = machine.sessions.get(id);
      if (session) session.heartbeatMs = atMs;
    }
  }
}

/** Nobody has anything of it any more. */
export function forgetSession({ seats }: ClusterState, sessionId: SessionId): void {
  for (const { homes, streams } of seats.values()) {
    homes.delete(sessionId);
    streams.delete(sessionId);
  }
}

/** Whom the writer of this command hears; nobody where it only says that something is over. */
export function heardBy(command: ClusterCommand): SessionId | undefined {
  switch (command.kind) {
    case 'renew':
    case 'stream-opened':
      return command.sessionId;
    case 'open-session':
    case 'acquire':
    case 'release':
    case 'decline':
    case 'sources':
    case 'status':
      return command.request.sessionId;
    default:
      return undefined;
  }
}

export function count<Key>(counts: Map<Key, number>, key: Key, change: 1 | -1): void {
  const left = (counts.get(key) ?? 0) + change;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}

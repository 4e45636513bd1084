import type { SessionId } from '../../../../core/ids.ts';
import type { ClusterState, Seat, SeatId } from './cluster.ts';
import { isHeard } from './seats.ts';
import { type Heard, ownIndex, perform, tell } from './steps.ts';

/**
 * A server is gone, and with it all its connections. That is no fault of those who were connected: no grace begins for
 * them, and whom no other server hears gets one whole time to live from now on to be heard elsewhere.
 */
export function leaveSeat(cluster: ClusterState, id: SeatId, writer: SeatId, heard: Heard): void {
  const seat = cluster.seats.get(id);
  if (!seat) return;
  const [first] = cluster.seats.keys();
  cluster.seats.delete(id);
  takeStreams(cluster, seat);
  // Also those that it called quiet: where it was the only one, nobody could hear them since. Not where others were
  // there before it: a server that starts again and again would keep the dead alive.
  for (const session of cluster.machine.sessions.values()) {
    const isHome = seat.homes.has(session.id);
    if ((first !== id && !isHome) || isHeard(cluster, session.id)) continue;
    session.heartbeatMs = cluster.atMs;
    // One that says itself that it goes has closed its streams before.
    if (isHome && writer === id) session.cutMs = undefined;
  }
  for (const [resourceId, listeners] of seat.listeners) {
    for (let left = listeners; left > 0; left -= 1)
      tell(cluster, ownIndex, perform(cluster, { kind: 'listener-closed', resourceId }), heard);
  }
}

function takeStreams({ machine }: ClusterState, { streams }: Seat): void {
  for (const [sessionId, opened] of streams) {
    const session = machine.sessions.get(sessionId);
    if (session) session.streams = Math.max(0, session.streams - opened);
  }
}

/** Its server hears the session no more. Where no other one does either, its silence counts from here on. */
export function silence(cluster: ClusterState, seat: Seat, sessionId: SessionId, silentMs: number): void {
  // Who never heard it cannot tell that it fell silent.
  if (!seat.homes.delete(sessionId) || isHeard(cluster, sessionId)) return;
  const { machine, atMs } = cluster;
  const session = machine.sessions.get(sessionId);
  if (!session) return;
  session.heartbeatMs = Math.min(session.heartbeatMs, atMs - silentMs);
}

import type { NodeId, SessionId } from '../../../../core/ids.ts';
import type { ResourceRequest } from '../../../locks.ts';
import { nodeIdentity } from '../../../machine/callers.ts';
import { defaultDomain, findLock, type Identity, type MachineState } from '../../../machine/state.ts';
import type { ClusterCommand, ClusterState, Seat, SeatId } from './cluster.ts';

/** The seat of that id; one that is not known yet comes last. */
export function seatFor({ seats }: ClusterState, id: SeatId): Seat {
  const known = seats.get(id);
  if (known) return known;
  const open = { streams: new Map(), listeners: new Map() };
  const seat: Seat = { id, lastSeq: 0, homes: new Set(), ...open, nodes: new Set() };
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

/** Whoever holds a lock without a session, and asks for something, is connected to the writer of this command. */
export function noteNode(cluster: ClusterState, seat: Seat, command: ClusterCommand): void {
  const request = requestOf(command);
  if (!request || request.sessionId !== undefined) return;
  const { resourceId, nodeId } = request;
  const holder = findLock(cluster.machine, defaultDomain, resourceId)?.holder;
  if (holder?.identity !== nodeIdentity(nodeId) && !isElsewhere(cluster, seat, nodeId)) return;
  for (const { nodes } of cluster.seats.values()) nodes.delete(nodeId);
  seat.nodes.add(nodeId);
}

/** It asked another server since: that it left this one says nothing. */
export function isElsewhere({ seats }: ClusterState, seat: Seat, nodeId: NodeId): boolean {
  for (const other of seats.values()) if (other !== seat && other.nodes.has(nodeId)) return true;
  return false;
}

export function forgetNodes({ machine, seats }: ClusterState): void {
  const noted = [...seats.values()].filter(({ nodes }) => nodes.size > 0);
  if (noted.length === 0) return;
  const holders = holdersOf(machine);
  for (const { nodes } of noted) for (const id of nodes) if (!holders.has(nodeIdentity(id))) nodes.delete(id);
}

function requestOf(command: ClusterCommand): ResourceRequest | undefined {
  switch (command.kind) {
    case 'acquire':
    case 'release':
    case 'decline':
    case 'status':
      return command.request;
    default:
      return undefined;
  }
}

/** Locks without a session are all among those that time can end. */
function holdersOf({ timedHolds }: MachineState): Set<Identity | undefined> {
  return new Set([...timedHolds].map(({ holder }) => holder?.identity));
}

export function count<Key>(counts: Map<Key, number>, key: Key, change: 1 | -1): void {
  const left = (counts.get(key) ?? 0) + change;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}

import type { MachineOptions } from '../../../machine/options.ts';
import { createState } from '../../../machine/state.ts';
import { fold } from './check.ts';
import type { ClusterCommand, ClusterState, Entry, Seat } from './cluster.ts';
import { leaveSeat, silence } from './departures.ts';
import { count, heardBy, isElsewhere, noteNode, seatFor } from './seats.ts';
import { failed, type Heard, isFailed, type Outcome, perform, tell, tick } from './steps.ts';

export { type Failed, type Heard, isFailed, type Reply } from './steps.ts';

/** Time is looked at so often, in milliseconds: fine enough for bounds of seconds, and several times a heartbeat. */
const tickMs = ({ heartbeatMs }: MachineOptions) => Math.min(250, heartbeatMs / 4);

/** A cluster that nobody belongs to yet. @param atMs wall time, in whole milliseconds */
export function createCluster(options: MachineOptions, atMs: number): ClusterState {
  const machine = createState(options, atMs);
  return { machine, atMs, tickedMs: Number.NEGATIVE_INFINITY, seats: new Map(), check: 0 };
}

/**
 * Carries out what one server wrote. Knows no clock, no I/O and no chance: whoever applies the same entries in the same
 * order is told the same and ends in the same state. An entry that was applied before is ignored. Throws nothing but
 * what `heard` throws.
 */
export function applyEntry(cluster: ClusterState, entry: Entry, heard: Heard): void {
  const seat = seatFor(cluster, entry.seat);
  if (entry.seq <= seat.lastSeq) return;
  seat.lastSeq = entry.seq;
  cluster.atMs = Math.max(cluster.atMs, entry.atMs);
  if (cluster.atMs - cluster.tickedMs >= tickMs(cluster.machine.options)) tick(cluster, heard);
  for (const [index, command] of entry.commands.entries())
    tell(cluster, index, carryOut(cluster, seat, command, heard), heard);
  const { nextToken, sessions, active, idle } = cluster.machine;
  for (const fact of [cluster.atMs, nextToken, sessions.size, active.size, idle.size])
    cluster.check = fold(cluster.check, fact);
}

const nothing: Outcome = { reply: undefined, events: [] };

function carryOut(cluster: ClusterState, seat: Seat, command: ClusterCommand, heard: Heard): Outcome {
  if (cluster.seats.get(seat.id) !== seat) return failed('its server has left the cluster');
  switch (command.kind) {
    case 'malformed':
      return failed('it is not a command');
    case 'seat-gone':
      leaveSeat(cluster, command.seat, seat.id, heard);
      return nothing;
    case 'session-quiet':
      silence(cluster, seat, command.sessionId, command.silentMs);
      return nothing;
    case 'node-gone':
      return isElsewhere(cluster, seat, command.nodeId) ? nothing : performFor(cluster, seat, command);
    case 'stream-closed':
      return seat.streams.has(command.sessionId) ? performFor(cluster, seat, command) : nothing;
    case 'listener-closed':
      return seat.listeners.has(command.resourceId) ? performFor(cluster, seat, command) : nothing;
    default:
      return performFor(cluster, seat, command);
  }
}

type OfMachine = Exclude<ClusterCommand, { kind: 'malformed' | 'seat-gone' | 'session-quiet' }>;

function performFor(cluster: ClusterState, seat: Seat, command: OfMachine): Outcome {
  const outcome = perform(cluster, command);
  noteStreams(seat, command, outcome);
  noteNode(cluster, seat, command);
  const sessionId = heardBy(command);
  if (sessionId !== undefined && cluster.machine.sessions.has(sessionId)) seat.homes.add(sessionId);
  return outcome;
}

/** What is open goes with its seat. */
function noteStreams({ streams, listeners }: Seat, command: OfMachine, { reply }: Outcome): void {
  if (isFailed(reply)) return;
  const isSnapshot = reply !== undefined && 'snapshot' in reply;
  if (command.kind === 'stream-opened' && isSnapshot) count(streams, command.sessionId, 1);
  if (command.kind === 'stream-closed') count(streams, command.sessionId, -1);
  if (command.kind === 'listener-opened') count(listeners, command.resourceId, 1);
  if (command.kind === 'listener-closed') count(listeners, command.resourceId, -1);
}

import type { Digest } from '../../../../core/digest.ts';
import type { Announcement, HeldProgress, ResourceRequest } from '../../../locks.ts';
import { type Caller, findCaller } from '../../../machine/callers.ts';
import type { CommandOf, Replies } from '../../../machine/commands.ts';
import type { Hold } from '../../../machine/model.ts';
import { findLock, type MachineState, placeKey, type Session } from '../../../machine/state.ts';
import { lookStatus as lookAt } from '../../../machine/status.ts';
import { findMember } from '../../../machine/swarm.ts';
import { snapshotOf } from '../../../machine/views.ts';
import type { ClusterCommand, ClusterState, SeatId } from './cluster.ts';

/**
 * What is to be done with a command. `write`: into the log, for it changes what others must know. `soon`: it is
 * answered here, and goes into the log along with others, once a second is enough. `local`: it is answered here, for all
 * that it would change is that somebody was heard.
 */
export type Weight = 'write' | 'soon' | 'local';

/** How often time must pass while anything waits for it, in milliseconds; more than once in a heartbeat. */
const timedMs = 500;

/** @param nowMs the time of the cluster, as the server that was asked estimates it */
export function weigh(
  { machine, seats }: ClusterState,
  seat: SeatId,
  command: ClusterCommand,
  nowMs: number,
): Weight {
  if (command.kind === 'status') return weighStatus(machine, command.request, nowMs);
  if (command.kind !== 'renew') return 'write';
  const session = machine.sessions.get(command.sessionId);
  const isHome = seats.get(seat)?.homes.has(command.sessionId) === true;
  return session && isHome ? weighRenew(machine, session, command) : 'write';
}

/** The answer to a heartbeat that is not `write`. */
export function lookRenew(
  { machine }: ClusterState,
  { sessionId }: CommandOf<'renew'>,
  nowMs: number,
): Replies['renew'] {
  const session = machine.sessions.get(sessionId);
  if (!session) return { kind: 'unknown-session' };
  return { kind: 'snapshot', snapshot: snapshotOf(machine, session, nowMs) };
}

/** The answer to a status that is not `write`. */
export function lookStatus(
  { machine }: ClusterState,
  { request }: CommandOf<'status'>,
  nowMs: number,
): Replies['status'] {
  return lookAt(machine, request, nowMs);
}

/**
 * How many milliseconds after the last entry time must pass by itself; undefined where nothing waits for it. Between
 * heartbeats it must pass even if only sessions and records are there: a longer gap is taken for a pause of all servers.
 */
export function dueMs(cluster: ClusterState): number | undefined {
  const { sessions, idle, options } = cluster.machine;
  if (isTimed(cluster)) return Math.min(timedMs, options.heartbeatMs / 2);
  return sessions.size + idle.size > 0 ? options.heartbeatMs * 0.8 : undefined;
}

function isTimed({ machine, seats }: ClusterState): boolean {
  const { isRecovering, timedHolds, timedPlaces, active, goneNodes, sessions } = machine;
  if (isRecovering || timedHolds.size + timedPlaces.size + active.size + goneNodes.size > 0) return true;
  const homes = [...seats.values()].map((seat) => seat.homes);
  for (const { id, cutMs } of sessions.values())
    if (cutMs !== undefined || !homes.some((heard) => heard.has(id))) return true;
  return false;
}

function weighRenew(state: MachineState, session: Session, { heartbeat }: CommandOf<'renew'>): Weight {
  const { held, announce, draining } = heartbeat;
  const { isDraining } = session.peer;
  if (session.cutMs !== undefined || (draining ?? isDraining) !== isDraining) return 'write';
  if (announce && tellsNews(session, announce)) return 'write';
  const holds = held.map((one) => settledHold(state, session, one));
  if (holds.includes(undefined)) return 'write';
  return held.some(({ offset }, index) => offset !== holds[index]?.offset) ? 'soon' : 'local';
}

/** Whoever comes from another server tells all that it has once more. */
function tellsNews(session: Session, { add, remove }: Announcement): boolean {
  if (session.opened.url === undefined) return false;
  const isKnown = (digest: Digest) => findMember(session, digest)?.isComplete === true;
  return !add.every(isKnown) || remove.some(isKnown);
}

/** The hold that the session means, where it has it, has claimed it, and said before how large it is. */
function settledHold(
  state: MachineState,
  { id, domain }: Session,
  { resourceId, type, token, total }: HeldProgress,
): Hold | undefined {
  const hold = findLock(state, domain, resourceId)?.holder;
  if (hold?.sessionId !== id || hold.type !== type || hold.token !== token) return undefined;
  return hold.isClaimed && hold.total === total ? hold : undefined;
}

function weighStatus(state: MachineState, request: ResourceRequest, nowMs: number): Weight {
  const caller = findCaller(state, request);
  if (!caller || caller.session?.cutMs !== undefined) return 'write';
  if (!caller.session && state.goneNodes.has(caller.nodeId)) return 'write';
  const lock = findLock(state, caller.domain, request.resourceId);
  if (!lock) return 'local';
  const key = placeKey({ identity: caller.identity, type: request.type });
  if (lock.farewells.get(key)?.why.kind === 'lapsed') return 'write';
  const { placeMs, leaseMs } = state.options;
  if (isMeant(lock.holder, caller)) {
    const isAcquired = lock.holder.type === request.type;
    if (isAcquired || isDue(caller, lock.holder, leaseMs, nowMs)) return 'write';
  }
  const waiter = lock.queue.get(key);
  return waiter && isDue(caller, waiter, placeMs, nowMs) ? 'write' : 'local';
}

function isMeant(hold: Hold | undefined, { identity }: Caller): hold is Hold {
  return hold?.identity === identity;
}

/** Nothing else is heard of one without a session: what it has ends when it does not ask. */
function isDue({ session }: Caller, { seenMs }: { readonly seenMs: number }, lastsMs: number, nowMs: number) {
  return session === undefined && nowMs - seenMs > lastsMs / 10;
}

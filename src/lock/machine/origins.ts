import { type Step, tellClaimant } from './events.ts';
import { bestParent, canServe, lastParent, mayReadFrom } from './parents.ts';
import type { MachineState, Session } from './state.ts';
import { childrenOf, isMember, type Member, offsetOf, type Parent, sourceOf } from './swarm.ts';
import { attach, detach, rootOf, treeOf } from './tree.ts';
import { ban, isBanned, isQuiet } from './troubles.ts';

/**
 * Decides where a reader reads: from somebody who can serve it, else from the registry. Whoever of its own tree has the
 * most goes to the registry in its place, and it reads from there.
 *
 * @param isAsking it hears so by the answer, and not by an event
 */
export function place(state: MachineState, reader: Member, step: Step, isAsking = false): void {
  const parent = bestParent(state, reader, step.nowMs) ?? parentInNeed(state, reader, step.nowMs);
  reader.isWaiting = false;
  if (parent) {
    send(reader, parent, step, isAsking);
    return;
  }
  if (reader.restarts > 0) {
    placeAgain(state, reader, step, isAsking);
    return;
  }
  const heir = heirOf(state, reader, step.nowMs);
  if (heir === reader) {
    send(reader, 'registry', step, isAsking);
    return;
  }
  send(heir, 'registry', step);
  send(reader, bestParent(state, reader, step.nowMs) ?? heir, step, isAsking);
}

/** For the rest of what it has begun: newcomers would keep a node that wants to end. */
function parentInNeed(state: MachineState, reader: Member, nowMs: number): Member | undefined {
  return offsetOf(reader) > 0 ? lastParent(state, reader, nowMs) : undefined;
}

/** So many read the registry for one digest as long as others can wait for them. */
const maxReaders = 2;

/** One that had wrong bytes and may read from nobody: at the registry, or behind one who reads it, and waiting for that. */
function placeAgain(state: MachineState, reader: Member, step: Step, isAsking: boolean): void {
  const readers = registryReaders(state, reader, step.nowMs);
  const best = readers.find(({ isSpoilt }) => !isSpoilt) ?? readers[0];
  if (!best || readers.length < maxReaders) {
    send(reader, 'registry', step, isAsking);
    return;
  }
  if (reader.parent !== best) attach(reader, best, step.nowMs);
  reader.isWaiting = true;
}

function registryReaders(state: MachineState, reader: Member, nowMs: number): Member[] {
  return [...reader.swarm.members.values()].filter(
    (member) =>
      member.parent === 'registry' &&
      member.session.domain !== reader.session.domain &&
      canServe(state, member, nowMs),
  );
}

export function send(reader: Member, parent: Exclude<Parent, 'none'>, step: Step, isAsking = false): void {
  if (reader.parent === parent) return;
  attach(reader, parent, step.nowMs);
  if (!isAsking) tellSource(reader, step);
}

export function tellSource(reader: Member, step: Step): void {
  const { reading: hold, session, swarm } = reader;
  if (!hold || reader.isWaiting) return;
  const event = { kind: 'source' as const, token: hold.token, source: sourceOf(reader) };
  tellClaimant(swarm, { sessionId: session.id, type: hold.type }, event, step);
}

/**
 * Nobody reads there any more. Of those that did, the one that serves others and has the most goes first, so that the
 * others follow it.
 */
export function abandon(state: MachineState, member: Member, step: Step, asking?: Member): void {
  const orphans = childrenOf(member);
  for (const orphan of orphans) detach(orphan);
  const families = orphans.map((orphan) => ({ orphan, heir: heirOf(state, orphan, step.nowMs) }));
  const serves = (heir: Member) => Number(canServe(state, heir, step.nowMs));
  families.sort(
    (one, other) =>
      serves(other.heir) - serves(one.heir) ||
      compare(state, one.heir, other.heir, step.nowMs) ||
      one.orphan.arrival - other.orphan.arrival,
  );
  for (const { orphan } of families) place(state, orphan, step, orphan === asking);
}

/** The same, and nobody is sent there for a while. */
export function banAndAbandon(state: MachineState, member: Member, step: Step, asking?: Member): void {
  ban(state, member, step);
  abandon(state, member, step, asking);
}

/** The same for all that the session serves. */
export function abandonAll(state: MachineState, { peer }: Session, step: Step, asking: Member): void {
  for (const member of [...peer.members.values()]) banAndAbandon(state, member, step, asking);
}

/** Who of a tree goes on at the registry: a live one, that has the most; of equals the one from whom the others read. */
function heirOf(state: MachineState, reader: Member, nowMs: number): Member {
  const able = treeOf(reader).filter(
    (member) => canServe(state, member, nowMs) && mayReadFrom(state, reader, member, nowMs),
  );
  return able.reduce((best, one) => (compare(state, one, best, nowMs) < 0 ? one : best), reader);
}

function compare(state: MachineState, one: Member, other: Member, nowMs: number): number {
  return (
    Number(isLive(state, other.session, nowMs)) - Number(isLive(state, one.session, nowMs)) ||
    Math.sign(offsetOf(other) - offsetOf(one))
  );
}

/** One that missed a heartbeat, or whose stream is broken, may be dead. */
function isLive(
  { options, resumedMs }: MachineState,
  { heartbeatMs, cutMs }: Session,
  nowMs: number,
): boolean {
  return cutMs === undefined && nowMs - Math.max(heartbeatMs, resumedMs) < options.heartbeatMs * 2;
}

/**
 * Different layers are read by different nodes where that costs nothing: who reads more layers than the newcomer from
 * the registry, and began this one just now, lets it do that.
 */
export function takeRole(state: MachineState, newcomer: Member, step: Step): void {
  const first = rootOf(newcomer);
  const { reading: hold, session } = first;
  if (first === newcomer || first.parent !== 'registry' || !hold || first.isComplete) return;
  if (hold.offset > 0 || step.nowMs - hold.sinceMs >= state.options.yieldMs) return;
  if (session.peer.origins < newcomer.session.peer.origins + 2) return;
  if (!canServe(state, newcomer, step.nowMs) || !mayReadFrom(state, first, newcomer, step.nowMs)) return;
  attach(newcomer, 'registry', step.nowMs);
  send(first, newcomer, step);
}

/**
 * Nobody may read from it, and nothing is heard of it: it was stopped, and others went on in its place. Should it go on
 * as well, it finds on its stream that it reads from them.
 */
export function followSuccessor(state: MachineState, member: Member, step: Step): void {
  if (member.parent !== 'registry' || !isBanned(state, member, step.nowMs)) return;
  if (isQuiet(state, member.session, step.nowMs)) place(state, member, step);
}

/** Only the service judges who reads the registry: slow is well, but who stands still while others read from it is not. */
export function expireOrigin(state: MachineState, member: Member, step: Step): void {
  const { reading: hold, parent } = member;
  if (!hold || isMember(parent) || !member.children?.size) return;
  if (hold.total > 0 && hold.offset >= hold.total) return;
  const sinceMs = Math.max(hold.progressedMs, member.servingMs, state.resumedMs);
  if (step.nowMs - sinceMs < state.options.originStallMs) return;
  banAndAbandon(state, member, step);
  place(state, member, step);
}
